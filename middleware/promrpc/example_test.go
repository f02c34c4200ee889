package promrpc_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// serve runs srv in the background until stop is called.
func serve(srv *amqprpc.Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	<-srv.Ready()
	return func() {
		cancel()
		if err := <-done; err != nil {
			fmt.Println(err)
		}
	}
}

// printLines prints the lines of a scrape that begin with one of the prefixes.
func printLines(handler http.Handler, prefixes ...string) {
	srv := httptest.NewServer(handler)
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		for _, p := range prefixes {
			if strings.HasPrefix(lines.Text(), p) {
				fmt.Println(lines.Text())
			}
		}
	}
}

// The metrics of a server and a client, and what a scrape finds.
func Example() {
	broker := amqptest.NewBroker()
	defer broker.Close()

	registry := prometheus.NewRegistry()
	metrics := promrpc.New()
	registry.MustRegister(metrics)

	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(metrics.Middleware))
	registry.MustRegister(promrpc.NewServerCollector(srv))
	amqprpc.Register(srv, "half", func(_ context.Context, n int) (int, error) {
		if n%2 != 0 {
			return 0, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "%d is odd", n)
		}
		return n / 2, nil
	})
	stop := serve(srv)

	ctx := context.Background()
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithMiddleware(metrics.Middleware))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cli.Close()
	registry.MustRegister(promrpc.NewClientCollector(cli))
	for n := range 5 {
		amqprpc.Call[int, int](ctx, cli, "half", n)
	}
	stop()

	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}) // for /metrics
	printLines(handler, "rpc_server_call_duration_seconds_count", "amqprpc_server_handled", "amqprpc_server_ready", "amqprpc_client_failed")

	// Output:
	// amqprpc_client_failed_total{code="failed_precondition"} 2
	// amqprpc_server_handled_total 5
	// amqprpc_server_ready 0
	// rpc_server_call_duration_seconds_count{amqprpc_kind="unary",amqprpc_outcome="",error_type="",rpc_method="half",rpc_status_code="failed_precondition",rpc_system_name="amqprpc"} 2
	// rpc_server_call_duration_seconds_count{amqprpc_kind="unary",amqprpc_outcome="",error_type="",rpc_method="half",rpc_status_code="ok",rpc_system_name="amqprpc"} 3
}
