# The few commands that people look for here; each is one that works by hand as well.

RABBITMQ ?= 3.10
STATICCHECK := $(shell sed -n 's/^staticcheck=//p' .ci/run)

.PHONY: test race rabbitmq lint bench ci

test: ## all tests, on the in-process broker: needs Go alone
	go test ./...

race: ## the same under the race detector, in a random order
	go test -race -shuffle=on ./...

rabbitmq: ## the tests on a private RabbitMQ node: make rabbitmq RABBITMQ=4.0
	AMQPRPC_RABBITMQ=$(RABBITMQ) go test -count=1 ./amqprpc/...

lint: ## what CI holds the code to
	@gofmt -l . | (! grep .)
	go vet ./...
	go run $(STATICCHECK) ./...

bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

ci: ## everything, as .ci/run does it; installs what is missing
	.ci/run
