// A module of its own, so that the compression library is downloaded by those alone who use
// Zstandard.
module github.com/bbebcec1/amqprpc-go/compress/zstd

go 1.26.0

require (
	github.com/bbebcec1/amqprpc-go v0.0.0
	github.com/klauspost/compress v1.20.4
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	github.com/rabbitmq/amqp091-go v1.16.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/bbebcec1/amqprpc-go => ../..
