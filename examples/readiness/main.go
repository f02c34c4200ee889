// Readiness shows a readiness probe over [amqprpc.Server.Status], and what the probe and
// the log say when a queue is deleted, when somebody declares it otherwise, when the
// broker is gone or has an alarm, and when the server drains.
//
//	go run ./examples/readiness
//
// The broker is one inside the program, since the program does all of that to it.
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

// Square is the contract of the server whose health is shown.
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

// ready answers a readiness probe: 200 if the server takes and answers requests on all of
// its queues, else 503. The body says how things are, for whoever looks.
//
// Do not use it as a liveness probe: to restart a process does not bring its broker back.
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
