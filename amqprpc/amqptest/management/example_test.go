package management_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest/management"
)

func ExampleHandler() {
	b := amqptest.NewBroker()
	defer b.Close()
	api := httptest.NewServer(management.Handler(b))
	defer api.Close()

	r, err := http.NewRequest(http.MethodGet, api.URL+"/api/exchanges/%2F/amq.topic", nil)
	if err != nil {
		log.Fatal(err)
	}
	r.SetBasicAuth("guest", "guest")
	resp, err := api.Client().Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var exchange struct{ Name, Type string }
	fmt.Println(json.NewDecoder(resp.Body).Decode(&exchange), exchange.Name, exchange.Type)
	// Output: <nil> amq.topic topic
}
