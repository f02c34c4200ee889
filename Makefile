# Short names for common commands. Each command also works by hand.

RABBITMQ ?= 3.10
STATICCHECK := $(shell sed -n 's/^staticcheck=//p' .ci/run)

.PHONY: test race rabbitmq lint bench ci

test: ## all tests, on the in-process broker: needs only Go
	go test ./...

race: ## all tests under the race detector, in a random order
	go test -race -shuffle=on ./...

rabbitmq: ## the tests on a private RabbitMQ node: make rabbitmq RABBITMQ=4.0
	AMQPRPC_RABBITMQ=$(RABBITMQ) go test -count=1 ./amqprpc/...

lint: ## the checks of CI
	@gofmt -l . | (! grep .)
	go vet ./...
	go run $(STATICCHECK) ./...

bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

ci: ## the whole CI run; installs missing packages
	.ci/run
