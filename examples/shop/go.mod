// A module of its own, so that OpenTelemetry, Prometheus and the other libraries are
// downloaded by those alone who run this example.
module github.com/bbebcec1/amqprpc-go/examples/shop

go 1.26.0

require (
	github.com/bbebcec1/amqprpc-go v0.0.0
	github.com/bbebcec1/amqprpc-go/compress/zstd v0.0.0
	github.com/bbebcec1/amqprpc-go/middleware/breaker v0.0.0
	github.com/bbebcec1/amqprpc-go/middleware/otelrpc v0.0.0
	github.com/bbebcec1/amqprpc-go/middleware/promrpc v0.0.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/prometheus/client_golang v1.25.0
	github.com/stretchr/testify v1.12.1
	go.opentelemetry.io/otel v1.47.0
	go.opentelemetry.io/otel/metric v1.47.0
	go.opentelemetry.io/otel/sdk v1.47.0
	go.opentelemetry.io/otel/trace v1.47.0
	go.uber.org/goleak v1.3.0
	golang.org/x/time v0.16.0
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	github.com/klauspost/compress v1.20.4 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rabbitmq/amqp091-go v1.16.0 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.48.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	github.com/bbebcec1/amqprpc-go => ../..
	github.com/bbebcec1/amqprpc-go/compress/zstd => ../../compress/zstd
	github.com/bbebcec1/amqprpc-go/middleware/breaker => ../../middleware/breaker
	github.com/bbebcec1/amqprpc-go/middleware/otelrpc => ../../middleware/otelrpc
	github.com/bbebcec1/amqprpc-go/middleware/promrpc => ../../middleware/promrpc
)
