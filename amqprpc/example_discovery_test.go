package amqprpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// A server describes itself without any broker.
func ExampleServer_Describe() {
	srv := amqprpc.NewServer("amqp://localhost",
		amqprpc.WithService(amqprpc.Service{Name: "maths", Version: "1.2.0", Description: "Computes."}),
		amqprpc.WithSchemas(func(t reflect.Type) (json.RawMessage, error) { // see the module schema for a real one
			return json.RawMessage(`{"type":"integer"}`), nil
		}))
	amqprpc.Register(srv, "fib", fib,
		amqprpc.WithDoc("Returns a number of Fibonacci."),
		amqprpc.WithExample(30), amqprpc.WithResponseExample(832040),
		amqprpc.WithErrors(amqprpc.CodeOutOfRange),
		amqprpc.WithErrorDetails(amqprpc.CodeInvalidArgument, map[string]int{"least": 0}))

	d, err := srv.Describe()
	fmt.Println(d.Name, d.Version, d.Description, err)
	for _, m := range d.Methods {
		fmt.Println(m.Queue, m.Kind, m.Doc)
		fmt.Println(m.Request.Type, string(m.Request.Schema), string(m.Request.Example), string(m.Response.Example))
		for _, e := range m.Errors {
			fmt.Printf("%s%s\n", e.Code, e.Details)
		}
	}
	// Output:
	// maths 1.2.0 Computes. <nil>
	// fib unary Returns a number of Fibonacci.
	// int {"type":"integer"} 30 832040
	// out_of_range
	// invalid_argument{"examples":[{"least":0}],"type":"integer"}
}

// The parts of a call add up to the whole.
func ExampleWithTiming() {
	cli, closeAll := connected(func(srv *amqprpc.Server) { Fib.Register(srv, fib) })
	defer closeAll()
	var way amqprpc.Timing
	n, err := Fib.Call(context.Background(), cli, 10, amqprpc.WithTiming(&way))
	fmt.Println(n, err)
	fmt.Println(way.Known, way.Sent > 0, way.Handler >= 0, way.Back > 0)
	// Output:
	// 55 <nil>
	// true true true true
}
