package amqprpc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

type small struct {
	N int8 `json:"n"`
}

// Every malformed request gets an answer and is not redelivered. The server then serves the
// next request.
func TestBadInputIsAnswered(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	const limit = 2000
	var runs counting
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, v small) (small, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			runs.ran(r.ID())
			return v, nil
		})
	}, amqprpc.WithMaxMessageSize(limit))
	p := newPeer(t, url)
	const jsonType, msgpackType = "application/json", "application/msgpack"
	past := time.Now().Add(-time.Minute).UnixMilli()
	for name, c := range map[string]struct {
		m    amqp.Publishing
		code string
		text string
	}{
		"unknown content type": {amqp.Publishing{ContentType: "text/csv", Body: []byte("n,1")}, "invalid_argument", "application/json, application/msgpack"},
		"unknown encoding":     {amqp.Publishing{ContentType: jsonType, ContentEncoding: "br", Body: []byte(`{}`)}, "invalid_argument", `"br"`},
		"undecodable json":     {amqp.Publishing{ContentType: jsonType, Body: []byte(`{"n":`)}, "invalid_argument", "does not decode"},
		"undecodable msgpack":  {amqp.Publishing{ContentType: msgpackType, Body: []byte{0xc1}}, "invalid_argument", "does not decode"},
		"trailing json":        {amqp.Publishing{ContentType: jsonType, Body: []byte(`{"n":1}{"n":2}`)}, "invalid_argument", "does not decode"},
		"trailing msgpack":     {amqp.Publishing{ContentType: msgpackType, Body: []byte{0x81, 0xa1, 'n', 1, 0xc0}}, "invalid_argument", "does not decode"},
		"overflow json":        {amqp.Publishing{ContentType: jsonType, Body: []byte(`{"n":300}`)}, "invalid_argument", "300"},
		"overflow msgpack":     {amqp.Publishing{ContentType: msgpackType, Body: []byte{0x81, 0xa1, 'n', 0xcd, 1, 44}}, "invalid_argument", "300"},
		"wrong type":           {amqp.Publishing{Body: []byte(`[1,2]`)}, "invalid_argument", "does not decode"},
		"empty json":           {amqp.Publishing{ContentType: jsonType}, "invalid_argument", "empty"},
		"empty msgpack":        {amqp.Publishing{ContentType: msgpackType}, "invalid_argument", "empty"},
		"empty, no type":       {amqp.Publishing{}, "invalid_argument", "empty"},
		"body over the limit":  {amqp.Publishing{Body: []byte(`{"n":1}` + strings.Repeat(" ", limit))}, "resource_exhausted", "2000"},
		"headers over the limit": {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{
			"a": strings.Repeat("x", 5000), "b": amqp.Table{"c": []any{strings.Repeat("y", 4000)}}}}, "resource_exhausted", "headers"},
		"headers of empty strings": {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"a": make([]any, 130_000)}}, "resource_exhausted", "headers"},
		"headers of empty tables":  {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"a": slices.Repeat([]any{amqp.Table{}}, 20_000)}}, "resource_exhausted", "headers"},
		"headers of empty texts":   {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"a": slices.Repeat([]any{""}, 26_000)}}, "resource_exhausted", "headers"},
		"expired":                  {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-deadline": past}}, "deadline_exceeded", "deadline"},
		"deadline of a text":       {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-deadline": "soon"}}, "invalid_argument", "rpc-deadline"},
		"attempt of a text":        {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-attempt": "two"}}, "invalid_argument", "rpc-attempt"},
		"attempt of minus one":     {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-attempt": int32(-1)}}, "invalid_argument", "rpc-attempt"},
		"batches of a text":        {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-batches": "yes"}}, "invalid_argument", "rpc-batches"},
		"version of the future":    {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-version": int32(2)}}, "unimplemented", "version 2"},
		"version of a text":        {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-version": "1"}}, "invalid_argument", "rpc-version"},
		"stream":                   {amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"rpc-stream": "open"}}, "unimplemented", "rpc-stream"},
		"garbage everywhere": {amqp.Publishing{
			ContentType: "\x00\xff", ContentEncoding: "\x01", Type: "\xfe", AppId: "\x00", MessageId: "\x00\x01", Priority: 255, Timestamp: time.Unix(1<<40, 0),
			Body: []byte{0, 1, 2}, Headers: amqp.Table{"": nil, "x": []byte{0xff}, "rpc-nonsense": amqp.Table{"a": int64(1)}, "d": amqp.Decimal{Scale: 2, Value: 7}}}, "invalid_argument", "content"},
	} {
		c.m.CorrelationId = "c-" + name
		d := p.ask(queue, c.m)
		require.Equal(t, c.m.CorrelationId, d.CorrelationId, name)
		require.Equal(t, c.code, d.Headers["rpc-code"], name)
		require.Equal(t, "not-executed", d.Headers["rpc-outcome"], name)
		require.Equal(t, "application/json", d.ContentType, name)
		var envelope struct{ Code, Message string }
		require.NoError(t, json.Unmarshal(d.Body, &envelope), name)
		require.Equal(t, c.code, envelope.Code, name)
		require.Contains(t, envelope.Message, c.text, name)

		d = p.ask(queue, amqp.Publishing{Body: []byte(`{"n":1}`), CorrelationId: "next", MessageId: "m-" + name})
		require.Nil(t, d.Headers["rpc-code"], "%s: %s", name, d.Body)
		require.JSONEq(t, `{"n":1}`, string(d.Body))
		require.Equal(t, 1, runs.ran("m-"+name)-1, "the next call ran once")
	}
	require.Zero(t, srv.Stats().Redelivered)
	require.Zero(t, srv.Stats().Reconnects)
}

// Foreign clients may omit optional properties, and may add properties that the server does
// not know.
func TestUnusualInputIsServed(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	type seen struct {
		ID          string
		Kind        string
		Header      amqprpc.Header
		ContentType string
		Attempt     int
	}
	got := make(chan seen, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			got <- seen{r.ID(), r.Kind().String(), r.Header(), r.ContentType(), r.Attempt()}
			return n + 1, nil
		})
	})
	p := newPeer(t, url)

	d := p.ask(queue, amqp.Publishing{Body: []byte("41"), CorrelationId: "c1"})
	require.Equal(t, "42", string(d.Body))
	require.Equal(t, "c1", d.CorrelationId)
	require.Empty(t, d.Headers)
	require.Equal(t, seen{"c1", "unary", amqprpc.Header{}, "", 1}, <-got, "the correlation id stands in for the message id")

	d = p.ask(queue, amqp.Publishing{Body: []byte("41"), MessageId: "m1"})
	require.Equal(t, "m1", d.CorrelationId, "the message id stands in for the correlation id")
	require.Equal(t, "m1", (<-got).ID)

	d = p.ask(queue, amqp.Publishing{Body: []byte("41")})
	require.Empty(t, d.CorrelationId)
	require.NotEmpty(t, (<-got).ID, "a fresh id")

	d = p.ask(queue, amqp.Publishing{Body: []byte{0x29}, ContentType: "Application/MsgPack; charset=binary", ContentEncoding: "UTF-8"})
	require.Equal(t, []byte{0x2a}, d.Body)
	require.Equal(t, "application/msgpack", d.ContentType)
	<-got

	when := time.Unix(1_600_000_000, 0)
	p.ask(queue, amqp.Publishing{Body: []byte("41"), Headers: amqp.Table{
		"s": "text", "i8": int8(-1), "u8": byte(255), "i16": int16(-2), "u16": uint16(2), "i32": int32(3), "u32": uint32(4), "i64": int64(1) << 60,
		"f": 1.5, "f32": float32(0.25), "b": true, "t": amqp.Table{"x": "y"}, "bytes": []byte("z"), "list": []any{"a"}, "when": when, "nil": nil,
		"rpc-unknown": "ignored", "rpc-attempt": int64(3), "rpc-version": int8(1),
	}})
	s := <-got
	require.Equal(t, amqprpc.Header{
		"s": "text", "i8": "-1", "u8": "255", "i16": "-2", "u16": "2", "i32": "3", "u32": "4", "i64": "1152921504606846976",
		"f": "1.5", "f32": "0.25", "b": "true",
	}, s.Header)
	require.Equal(t, 3, s.Attempt)

	// A request without reply_to runs without a reply.
	require.NoError(t, p.ch.Publish("", queue, true, false, amqp.Publishing{Body: []byte("1"), CorrelationId: "n1"}))
	require.Equal(t, "notification", (<-got).Kind)
	d = p.ask(queue, amqp.Publishing{Body: []byte("41"), CorrelationId: "after"})
	require.Equal(t, "after", d.CorrelationId)
	<-got
}

func TestReplyToPolicy(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var log testLog
	var runs counting
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) { runs.ran("any"); return n, nil })
	}, amqprpc.WithLogger(log.logger()), amqprpc.WithAllowedReplyTo("mine.*"))
	p := newPeer(t, url)
	victim := queueName(t)
	_, err := p.ch.QueueDeclare(victim, false, true, false, false, nil)
	require.NoError(t, err)
	pid := base64.StdEncoding.EncodeToString(append([]byte{131, 88, 119, 1, 'x'}, make([]byte, 12)...))
	refused := []string{
		victim, queue, "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.garbage",
		"amq.rabbitmq.reply-to.!!!.???", "amq.rabbitmq.reply-to." + pid, "amq.rabbitmq.reply-to." + pid + ".short",
		"amq.rabbitmq.reply-to.g2dkAA.AAAAAAAAAAAAAAAAAAAAAA==", "amq.rabbitmq.reply-tox", "amqprpc.control", "mine/../x",
	}
	for i, to := range refused {
		p.send(queue, amqp.Publishing{ReplyTo: to, Body: []byte("1")})
		eventually(t, "refused "+to, func() bool { return srv.Stats().RefusedReplyTo == int64(i+1) })
		require.Equal(t, "7", string(p.ask(queue, amqp.Publishing{Body: []byte("7")}).Body), "after %s", to)
	}
	require.Equal(t, len(refused), runs.total(), "only the requests in between ran")
	q, err := p.ch.QueueDeclarePassive(victim, false, true, false, false, nil)
	require.NoError(t, err)
	require.Zero(t, q.Messages)
	require.Contains(t, log.String(), victim)
	require.Contains(t, log.String(), "give the server WithAllowedReplyTo")
	require.NotContains(t, log.String(), "garbage", "direct reply-to addresses are not logged")
	require.Zero(t, srv.Stats().Redelivered+srv.Stats().Reconnects)

	mine := "mine." + queueName(t)
	_, err = p.ch.QueueDeclare(mine, false, true, false, false, nil)
	require.NoError(t, err)
	replies, err := p.ch.Consume(mine, "", true, false, false, false, nil)
	require.NoError(t, err)
	p.send(queue, amqp.Publishing{ReplyTo: mine, Body: []byte("5")})
	require.Equal(t, "5", string((<-replies).Body))
}

// A valid direct reply-to address without a client does no harm.
func TestDirectReplyToOfTheDead(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	addresses := make(chan string, 1)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			addresses <- r.Delivery().ReplyTo
			return n, nil
		})
	})
	cli := dial(t, url, amqprpc.WithReplyMode(amqprpc.ReplyDirect))
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.NoError(t, err)
	address := <-addresses
	require.NoError(t, cli.Close())
	p := newPeer(t, url)
	// Only the broker reads the parts of an address other than its key.
	dead := []string{address, address[:len(address)-4] + "AA=="}
	for _, to := range dead {
		p.send(queue, amqp.Publishing{ReplyTo: to, Body: []byte("1")})
		<-addresses
		d := p.ask(queue, amqp.Publishing{Body: []byte("2")})
		require.Equal(t, "2", string(d.Body))
		<-addresses
	}
	require.Zero(t, srv.Stats().Reconnects)
}

func TestHandlersThatMisbehave(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var log testLog
	release := make(chan struct{})
	panics := make(chan *amqprpc.PanicError, 2)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, how string) (any, error) {
			switch how {
			case "panic":
				panic("the secret is 42")
			case "panic runtime":
				return []int{}[len(how)-len("panic runtime")], nil
			case "unencodable":
				return make(chan int), nil
			case "large":
				return strings.Repeat("x", 5000), nil
			case "large error":
				return nil, errors.New(strings.Repeat("<", 5000))
			case "large code":
				return nil, amqprpc.Errorf(amqprpc.Code(strings.Repeat("c", 200_000)), "of a large code")
			}
			return "fine", nil
		})
		amqprpc.Register(s, queue+".headers", func(ctx context.Context, how string) (string, error) {
			if how == "large" {
				amqprpc.ReplyHeader(ctx)["h"] = strings.Repeat("x", 9000)
			} else {
				amqprpc.ReplyHeader(ctx)[strings.Repeat("h", 256)] = "x"
			}
			return "fine", nil
		})
		amqprpc.Register(s, queue+".slow", func(context.Context, int) (int, error) { <-release; return 1, nil }, amqprpc.WithHandlerTimeout(20*time.Millisecond))
	}, amqprpc.WithLogger(log.logger()), amqprpc.WithMaxMessageSize(4000), amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			if p, ok := errors.AsType[*amqprpc.PanicError](err); ok {
				panics <- p
			}
			return resp, err
		}
	}))
	cli := dial(t, url)
	call := func(queue, how string) error {
		_, err := amqprpc.Call[string, string](testContext(t), cli, queue, how)
		return err
	}
	for _, how := range []string{"panic", "panic runtime"} {
		err := call(queue, how)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
		require.Equal(t, queue+": internal: internal error", err.Error())
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
	}
	require.Equal(t, "the secret is 42", (<-panics).Value)
	require.Contains(t, string((<-panics).Stack), "badinput_test.go")
	require.Contains(t, log.String(), "the secret is 42")
	require.Contains(t, log.String(), "badinput_test.go", "the stack")
	require.EqualValues(t, 2, srv.Stats().Panics)

	require.ErrorIs(t, call(queue, "unencodable"), amqprpc.CodeInternal)
	require.ErrorIs(t, call(queue, "large"), amqprpc.CodeResourceExhausted)
	err := call(queue, "large error")
	require.ErrorIs(t, err, amqprpc.CodeUnknown)
	require.Contains(t, err.Error(), "<<<<")
	err = call(queue, "large code")
	require.ErrorIs(t, err, amqprpc.CodeUnknown)
	require.ErrorContains(t, err, "of a large code")
	require.ErrorIs(t, call(queue+".headers", "large"), amqprpc.CodeInternal)
	require.ErrorIs(t, call(queue+".headers", "long"), amqprpc.CodeInternal)

	_, err = amqprpc.Call[int, int](testContext(t), cli, queue+".slow", 1)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.True(t, amqprpc.IsRemote(err))
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err), "it still runs")
	close(release)
	eventually(t, "the late result is counted", func() bool { return srv.Stats().LateResults == 1 })
	require.NoError(t, call(queue, "fine"))
	require.Zero(t, srv.Stats().Redelivered+srv.Stats().Reconnects)
}
