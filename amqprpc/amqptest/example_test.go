package amqptest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// must ends an example that cannot go on.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// connect opens a connection with a name and a channel with a queue called "q".
func connect(b *amqptest.Broker, name string) (*amqp.Connection, *amqp.Channel) {
	conn := must(amqp.DialConfig(b.URL(), amqp.Config{Properties: amqp.Table{"connection_name": name}}))
	ch := must(conn.Channel())
	must(ch.QueueDeclare("q", true, false, false, false, nil))
	return conn, ch
}

func Example() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn := must(amqp.Dial(b.URL()))
	defer conn.Close()
	ch := must(conn.Channel())
	q := must(ch.QueueDeclare("greetings", false, false, false, false, nil))
	if err := ch.Publish("", q.Name, false, false, amqp.Publishing{Body: []byte("hello")}); err != nil {
		log.Fatal(err)
	}
	deliveries := must(ch.Consume(q.Name, "", true, false, false, false, nil))
	fmt.Printf("%s\n", (<-deliveries).Body)
	// Output: hello
}

// A dial function that goes through memory takes the broker into a
// testing/synctest bubble, where time is virtual.
func ExampleBroker_Dial() {
	b := amqptest.NewBroker(amqptest.WithoutListener())
	defer b.Close()
	conn := must(amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Dial}))
	defer conn.Close()
	fmt.Println(conn.RemoteAddr().Network())
	// Output: pipe
}

func ExampleBroker_CutConnections() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, _ := connect(b, "me")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	fmt.Println("connections cut:", b.CutConnections())
	fmt.Println("the client noticed:", <-closed != nil)
	// Output:
	// connections cut: 1
	// the client noticed: true
}

func ExampleBroker_Freeze() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	b.Freeze(amqptest.BothWays)
	declared := make(chan error, 1)
	go func() {
		_, err := ch.QueueDeclare("another", false, false, false, false, nil)
		declared <- err
	}()
	select {
	case <-declared:
		fmt.Println("answered")
	case <-time.After(20 * time.Millisecond):
		fmt.Println("no answer")
	}
	b.Thaw()
	fmt.Println("thawed:", <-declared)
	// Output:
	// no answer
	// thawed: <nil>
}

func ExampleBroker_HalfOpen() {
	b := amqptest.NewBroker()
	conn, ch := connect(b, "me")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	b.HalfOpen(amqptest.BothWays)
	// The client can write, and believes that all is well, until its heartbeat
	// runs out …
	fmt.Println(ch.Publish("", "q", false, false, amqp.Publishing{Body: []byte("lost")}))
	q, _ := b.Queue("q")
	fmt.Println("messages:", q.Ready)
	// … or until the broker's host is gone for good.
	b.Close()
	fmt.Println("the client noticed:", <-closed != nil)
	// Output:
	// <nil>
	// messages: 0
	// the client noticed: true
}

func ExampleBroker_RefuseConnections() {
	b := amqptest.NewBroker()
	defer b.Close()
	b.RefuseConnections()
	_, err := amqp.Dial(b.URL())
	fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
	if err := b.AcceptConnections(); err != nil {
		log.Fatal(err)
	}
	conn, _ := connect(b, "me")
	fmt.Println("accepted:", conn.Close() == nil)
	// Output:
	// refused: true
	// accepted: true
}

func ExampleBroker_BlockPublishers() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	b.BlockPublishers("low on disk")
	if err := ch.Publish("", "q", false, false, amqp.Publishing{}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", <-blocked)
	b.UnblockPublishers()
	fmt.Printf("%+v\n", <-blocked)
	// Output:
	// {Active:true Reason:low on disk}
	// {Active:false Reason:}
}

func ExampleBroker_Tamper() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	stop := b.Tamper(func(m amqptest.Message) amqptest.Fate {
		switch m.MessageID {
		case "refused":
			return amqptest.Fate{Drop: true, Nack: true}
		case "lost":
			return amqptest.Fate{Drop: true}
		case "twice":
			return amqptest.Fate{Copies: 1}
		case "late":
			return amqptest.Fate{Delay: 10 * time.Millisecond}
		}
		return amqptest.Fate{}
	})
	defer stop()
	if err := ch.Confirm(false); err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"late", "refused", "lost", "twice"} {
		c := must(ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{MessageId: id}))
		fmt.Println(id, "confirmed:", c.Wait())
	}
	for _, m := range b.Messages("q") {
		fmt.Println("in the queue:", m.MessageID)
	}
	// Output:
	// late confirmed: true
	// refused confirmed: false
	// lost confirmed: true
	// twice confirmed: true
	// in the queue: late
	// in the queue: twice
	// in the queue: twice
}

func ExampleBroker_CancelConsumer() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	cancelled := ch.NotifyCancel(make(chan string, 1))
	must(ch.Consume("q", "consumer", false, false, false, false, nil))
	fmt.Println(b.CancelConsumer("q", "consumer"))
	fmt.Println("cancelled:", <-cancelled)
	// Output:
	// true
	// cancelled: consumer
}

func ExampleBroker_Restart() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	if err := ch.Confirm(false); err != nil {
		log.Fatal(err)
	}
	for _, mode := range []uint8{amqp.Transient, amqp.Persistent} {
		c := must(ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{DeliveryMode: mode}))
		fmt.Println("confirmed:", c.Wait())
	}
	b.Restart()
	<-closed
	fmt.Println("messages left:", len(b.Messages("q")))
	// Output:
	// confirmed: true
	// confirmed: true
	// messages left: 1
}

func ExampleBroker_Queue() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "worker")
	defer conn.Close()
	must(ch.Consume("q", "tag", false, false, false, false, nil))
	q, ok := b.Queue("q")
	fmt.Println(ok, q.Type, q.Durable, q.Ready, q.Unacked)
	for _, c := range q.Consumers {
		fmt.Println(c.Tag, c.Connection, c.Channel)
	}
	// Output:
	// true classic true 0 0
	// tag worker 1
}

func ExampleBroker_Connection() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "victim")
	closedChannel := ch.NotifyClose(make(chan *amqp.Error, 1))
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	c := b.Connection("victim")
	c.CloseChannel(1, 406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out")
	fmt.Println(<-closedChannel)
	c.Close("maintenance")
	fmt.Println(<-closed)
	// Output:
	// Exception (406) Reason: "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"
	// Exception (320) Reason: "CONNECTION_FORCED - maintenance"
}

func ExampleBroker_Record() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	record := b.Record()
	defer record.Stop()
	if err := ch.Publish("", "q", false, false, amqp.Publishing{Body: []byte("x")}); err != nil {
		log.Fatal(err)
	}
	deliveries := must(ch.Consume("q", "tag", false, false, false, false, nil))
	if err := (<-deliveries).Ack(false); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	must(record.Wait(ctx, 1, func(e amqptest.Event) bool { return e.Kind == amqptest.Acked }))
	for _, e := range record.Events() {
		fmt.Printf("%d %s %q\n", e.Seq, e.Kind, e.Message.Body)
	}
	// Output:
	// 1 published "x"
	// 2 routed "x"
	// 3 consumer started ""
	// 4 delivered "x"
	// 5 acked "x"
}

func ExampleBroker_Stop() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, _ := connect(b, "me")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	b.Stop()
	fmt.Println(<-closed)
	if err := b.AcceptConnections(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("durable queues:", len(b.Queues()))
	// Output:
	// Exception (320) Reason: "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
	// durable queues: 1
}

func ExampleBroker_Kill() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, _ := connect(b, "me")
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	b.Kill()
	fmt.Println("the client noticed:", <-closed != nil)
	_, err := amqp.Dial(b.URL())
	fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
	// Output:
	// the client noticed: true
	// refused: true
}

func ExampleBroker_RaiseAlarm() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	b.RaiseAlarm(amqptest.DiskAlarm)
	if err := ch.Publish("", "q", false, false, amqp.Publishing{}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", <-blocked)
	b.ClearAlarm(amqptest.DiskAlarm)
	fmt.Printf("%+v\n", <-blocked)
	// Output:
	// {Active:true Reason:low on disk}
	// {Active:false Reason:}
}

func ExampleBroker_SetUser() {
	b := amqptest.NewBroker()
	defer b.Close()
	b.SetUser("reader", "secret")
	if err := b.SetPermissions("/", "reader", "", "", ".*"); err != nil {
		log.Fatal(err)
	}
	conn := must(amqp.Dial("amqp://reader:secret@" + b.Addr() + "/"))
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	ch := must(conn.Channel())
	_, err := ch.QueueDeclare("q", true, false, false, false, nil)
	fmt.Println(err)
	b.DeleteUser("reader")
	fmt.Println(<-closed)
	// Output:
	// Exception (403) Reason: "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'reader'"
	// Exception (320) Reason: "CONNECTION_FORCED - user 'reader' is deleted"
}

func ExampleVHost_SetPolicy() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, ch := connect(b, "me")
	defer conn.Close()
	err := b.VHost("/").SetPolicy(amqptest.Policy{
		Name: "short", Pattern: "^q$", Definition: map[string]any{"max-length": 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, body := range []string{"first", "last"} {
		if err := ch.Publish("", "q", false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
			log.Fatal(err)
		}
	}
	d, _, err := ch.Get("q", true)
	fmt.Printf("%s %v\n", d.Body, err)
	// Output: last <nil>
}

func ExampleVHost_SetDefaultQueueType() {
	b := amqptest.NewBroker(amqptest.Follow(amqptest.RabbitMQ43))
	defer b.Close()
	if err := b.VHost("/").SetDefaultQueueType("quorum"); err != nil {
		log.Fatal(err)
	}
	conn, _ := connect(b, "me")
	defer conn.Close()
	q, _ := b.Queue("q")
	fmt.Println(q.Type)
	// Output: quorum
}

func ExampleVHost_Queue() {
	b := amqptest.NewBroker()
	defer b.Close()
	b.AddVHost("orders")
	conn := must(amqp.Dial(b.URL() + "orders"))
	defer conn.Close()
	must(must(conn.Channel()).QueueDeclare("q", true, false, false, false, nil))
	_, here := b.Queue("q")
	_, there := b.VHost("orders").Queue("q")
	fmt.Println(here, there)
	// Output: false true
}

func ExampleBroker_ImportDefinitions() {
	b := amqptest.NewBroker()
	defer b.Close()
	err := b.ImportDefinitions(strings.NewReader(`{
		"queues": [{"name": "orders", "vhost": "/", "durable": true, "arguments": {"x-queue-type": "quorum"}}],
		"bindings": [{"vhost": "/", "source": "amq.topic", "destination": "orders", "destination_type": "queue", "routing_key": "order.#"}]
	}`))
	q, ok := b.Queue("orders")
	fmt.Println(err, ok, q.Type, q.Bindings[0].RoutingKey)
	// Output: <nil> true quorum order.#
}

func ExampleBroker_Connections() {
	b := amqptest.NewBroker()
	defer b.Close()
	conn, _ := connect(b, "worker")
	defer conn.Close()
	for _, c := range b.Connections() {
		fmt.Println(c.ID() > 0, c.Name(), c.RemoteAddr().String() == conn.LocalAddr().String())
	}
	// Output: true worker true
}
