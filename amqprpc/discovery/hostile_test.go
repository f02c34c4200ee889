package discovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
)

const anError = "an error"

// impostor answers the questions to a service with whatever it likes. Each answer has the ID
// of an instance. The channel receives when the broker has all answers to a question.
func impostor(t *testing.T, url, service string, answer func(send func(id, contentType string, body []byte))) <-chan struct{} {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.ExchangeDeclare("amqprpc.control", "direct", true, false, false, false, nil))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(q.Name, "discover", "amqprpc.control", false, nil))
	questions, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	answered := make(chan struct{}, 100)
	go func() { // ends with the connection
		for d := range questions {
			var asked describe.Query
			if json.Unmarshal(d.Body, &asked) != nil || asked.Service != service {
				continue // another test's
			}
			answer(func(id, contentType string, body []byte) {
				h := amqp.Table{"rpc-instance": id}
				if contentType == anError {
					h["rpc-code"], h["rpc-outcome"] = "aborted", "not-executed"
				}
				ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, ContentType: contentType, Headers: h, Body: body})
			})
			if ch.ExchangeDeclarePassive("amqprpc.control", "direct", true, false, false, false, nil) == nil { // it is answered after all that came before
				answered <- struct{}{}
			}
		}
	}()
	return answered
}

// document is the answer of an instance.
func document(id, kind string) []byte {
	return fmt.Appendf(nil, `{"type":%q,"instance":%q,"name":"s","host":"h","pid":1,"started":"2026-01-02T03:04:05Z","methods":[]}`, kind, id)
}

// Whatever one instance answers is an error of that instance alone.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	url, service := brokerURL(t), unique(t)
	answers := map[string][]byte{
		"empty":   nil,
		"garbage": []byte("\x00\xff{"),
		"null":    []byte("null"),
		"array":   []byte("[]"),
		"type":    document("type", describe.TypeStats),
		"no type": []byte(`{"instance":"no type"}`),
		"other":   document("good", describe.TypePing),
		"deep":    []byte(`{"type":"amqprpc.ping.v1","instance":"deep","x":` + strings.Repeat("[", 1<<20) + `}`),
		"members": []byte(`{"type":"amqprpc.ping.v1","instance":"members","methods":{"a":1}}`),
		"pid":     []byte(`{"type":"amqprpc.ping.v1","instance":"pid","pid":1e99}`),
		"time":    []byte(`{"type":"amqprpc.ping.v1","instance":"time","started":"yesterday"}`),
		"huge":    []byte(`{"type":"amqprpc.ping.v1","instance":"huge","x":"` + strings.Repeat("x", 12<<20) + `"}`),
		"two":     append(document("two", describe.TypePing), '1'),
	}
	impostor(t, url, service, func(send func(id, contentType string, body []byte)) {
		for id, body := range answers {
			send(id, "application/json", body)
		}
		send("msgpack", "application/msgpack", []byte("\xc4\x01x"))
		send("foreign", "text/html", []byte("<p>"))
		send("good", "application/json", document("good", describe.TypePing))
		send("good", "application/json", []byte("a second answer"))
		send("", "application/json", document("", describe.TypePing))
		send("\n", "application/json", document("\n", describe.TypePing))
	})
	cli := dial(t, url, amqprpc.WithMaxMessageSize(4<<20))
	failed, good := make(map[string]bool), 0
	for d, err := range discovery.Instances(testContext(t), cli, discovery.OfService(service), patiently()) {
		if err == nil {
			require.Equal(t, "good", d.Instance)
			require.Equal(t, "h", d.Host)
			good++
			continue
		}
		e, ok := errors.AsType[*discovery.InstanceError](err)
		require.True(t, ok, err)
		require.Zero(t, d)
		require.Less(t, len(err.Error()), 1000)
		require.Contains(t, err.Error(), e.ID)
		failed[e.ID] = true
	}
	require.Equal(t, 1, good)
	for id := range answers {
		require.True(t, failed[id], id)
	}
	require.Len(t, failed, len(answers)+2)
}

// Ten thousand instances are no more than ten thousand pairs, and a break ends them.
func TestTenThousandInstances(t *testing.T) {
	t.Parallel()
	url, service := brokerURL(t), unique(t)
	const all = 10_000
	impostor(t, url, service, func(send func(id, contentType string, body []byte)) {
		for i := range all {
			id := fmt.Sprint("i", i)
			send(id, "application/json", document(id, describe.TypePing))
		}
	})
	cli := dial(t, url)
	question := discovery.Instances(testContext(t), cli, discovery.OfService(service), patiently())
	got := make(map[string]bool)
	for d, err := range question {
		require.NoError(t, err)
		got[d.Instance] = true
	}
	require.Len(t, got, all)
	for range question {
		break
	}
}

// Answers and errors that nobody takes do not fill the memory.
func TestAnswersThatWait(t *testing.T) {
	t.Parallel()
	url, service := brokerURL(t), unique(t)
	const large, small, most = 40, 40, 100_000
	queue := unique(t)
	srv, _ := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	answered := impostor(t, url, service, func(send func(id, contentType string, body []byte)) {
		for i := range large {
			id := fmt.Sprint("i", i)
			if i%2 == 0 {
				send(id, anError, fmt.Appendf(nil, `{"message":%q}`, strings.Repeat("x", 90_000)))
			} else {
				send(id, "application/json", append(document(id, describe.TypePing), strings.Repeat(" ", 90_000)...))
			}
		}
		send("larger", anError, make([]byte, 2*most))
		for i := range small {
			id := fmt.Sprint("small", i)
			send(id, "application/json", document(id, describe.TypePing))
		}
	})
	cli := dial(t, url, amqprpc.WithMaxMessageSize(most))
	found(t, cli, srv)
	pairs, dropped, good, failed := 0, 0, 0, 0
	for _, err := range discovery.Instances(testContext(t), cli, discovery.OfService(service), patiently()) {
		if pairs++; pairs == 1 {
			<-answered
			_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1) // its reply comes after all answers
			require.NoError(t, err)
		}
		switch {
		case err == nil:
			good++
		case errors.Is(err, amqprpc.CodeResourceExhausted):
			dropped++
		default:
			require.ErrorIs(t, err, amqprpc.CodeAborted)
			require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
			failed++
		}
	}
	require.Equal(t, large+1+small, pairs)
	require.GreaterOrEqual(t, dropped, large-18-1)
	require.Positive(t, failed)
	require.Positive(t, good)
}

// A server that names itself otherwise than it is asked, or does not answer, is an error of
// its own.
func TestOneHostileInstance(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	id := unique(t)
	_, err = ch.QueueDeclare("amqprpc.instance."+id, false, true, true, false, nil)
	require.NoError(t, err)
	questions, err := ch.Consume("amqprpc.instance."+id, "", true, true, false, false, nil)
	require.NoError(t, err)
	cli := dial(t, url)
	go func() {
		d := <-questions
		ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, ContentType: "application/json", Body: document("another", describe.TypePing)})
	}()
	for _, quiet := range []time.Duration{time.Minute, 10 * time.Millisecond} { // the second question gets no answer
		pairs := 0
		for _, err := range discovery.Instances(testContext(t), cli, discovery.OfInstance(id), discovery.Quiet(quiet)) {
			pairs++
			e, ok := errors.AsType[*discovery.InstanceError](err)
			require.True(t, ok)
			require.Equal(t, id, e.ID)
		}
		require.Equal(t, 1, pairs)
	}
}
