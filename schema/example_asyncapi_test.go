package schema_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/schema"
)

// Payment is a request.
type Payment struct {
	Invoice int32  `json:"invoice" jsonschema:"description=the number of the invoice,minimum=1"`
	Cents   uint64 `json:"cents"`
	Note    string `json:"note,omitempty" jsonschema:"maxLength=140"`
}

// Receipt is a response.
type Receipt struct {
	ID string `json:"id"`
}

func pay(context.Context, Payment) (Receipt, error) { return Receipt{"r1"}, nil }

// newServer makes the server of the service, for main and for the generator.
func newServer(url string) *amqprpc.Server {
	srv := amqprpc.NewServer(url,
		amqprpc.WithSchemas(schema.Of),
		amqprpc.WithService(amqprpc.Service{Name: "till", Version: "1.0.0"}))
	amqprpc.Register(srv, "pay", pay,
		amqprpc.WithDoc("Pays an invoice."),
		amqprpc.WithExample(Payment{Invoice: 7, Cents: 450}),
		amqprpc.WithErrors(amqprpc.CodeNotFound))
	return srv
}

// generate writes the document of the service.
func generate(file string) error {
	text, err := discovery.AsyncAPI(newServer("amqp://localhost"))
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// A program for go generate writes the AsyncAPI document of a service.
func Example_asyncAPI() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "asyncapi.json")
	if err := generate(file); err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Required []string
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		log.Fatal(err)
	}
	fmt.Println(doc.Components.Schemas["schema_test.Payment"].Required)
	// Output: [invoice cents]
}
