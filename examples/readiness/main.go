// Readiness shows a readiness probe that uses [amqprpc.Server.Status]. It prints the answers
// of the probe and the log lines when a queue is deleted, when a queue is declared with other
// arguments, when the broker is gone or has an alarm, and when the server drains.
//
//	go run ./examples/readiness
//
// The program runs its own broker, because it injects these faults into the broker.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Square is the contract of the server.
const Square amqprpc.Method[int, int] = "examples.square"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "readiness:", err)
		os.Exit(1)
	}
}

// ready answers a readiness probe: 200 if the server takes and answers requests on all of its
// queues, otherwise 503. The body describes the server's state for human readers.
//
// Do not use it as a liveness probe. A restart of the process does not bring its broker back.
func ready(srv *amqprpc.Server) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status := srv.Status()
		w.Header().Set("Content-Type", "application/json")
		if status.Err() != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(status)
	}
}
