// A module of its own, so that the breaker's library is downloaded by those alone who use it.
module github.com/bbebcec1/amqprpc-go/middleware/breaker

go 1.26.0

replace github.com/bbebcec1/amqprpc-go => ../..

require (
	github.com/bbebcec1/amqprpc-go v0.0.0
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/sony/gobreaker/v2 v2.4.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/rabbitmq/amqp091-go v1.16.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/time v0.16.0 // indirect
)
