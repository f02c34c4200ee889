package amqprpc_test

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// answeringServer returns a function that sets the one reply of a server in another language.
func answeringServer(t *testing.T, url, queue string) func(amqp.Publishing) {
	t.Helper()
	p, requests := foreignServer(t, url, queue)
	replies := make(chan amqp.Publishing, 1)
	go func() {
		for d := range requests { // it ends with the peer's connection
			m := <-replies
			m.CorrelationId = d.CorrelationId
			p.ch.Publish("", d.ReplyTo, false, false, m)
		}
	}()
	return func(m amqp.Publishing) { replies <- m }
}

// An error has the code and the outcome of its headers, whatever its body is. Each part of
// the body counts alone.
func TestErrorsOfForeignServers(t *testing.T) {
	t.Parallel()
	const limit = 2000
	const unread, silent = "the server's error could not be read", "the error has no message"
	url, queue := brokerURL(t), queueName(t)
	answer := answeringServer(t, url, queue)
	cli := dial(t, url, amqprpc.WithMaxMessageSize(limit))
	for name, c := range map[string]struct {
		body, message string
		left          any // the value of the detail stock, nil if there is none
	}{
		"as it should be":                 {`{"code":"aborted","message":"no tea","details":[{"name":"stock","value":2}]}`, "no tea", 2.0},
		"larger than the limit":           {`{"message":"` + strings.Repeat("x", limit) + `"}`, "2014 bytes; the limit is 2000", nil},
		"empty":                           {"", unread, nil},
		"no JSON":                         {"<html>", unread, nil},
		"cut short":                       {`{"message":"no tea"`, unread, nil},
		"bytes after it":                  {`{"message":"no tea"}x`, unread, nil},
		"an array":                        {`[{"message":"no tea"}]`, unread, nil},
		"a string":                        {`"no tea"`, unread, nil},
		"null":                            {"null", silent, nil},
		"an empty object":                 {"{}", silent, nil},
		"a message that is a number":      {`{"message":5,"details":[{"name":"stock","value":2}]}`, silent, 2.0},
		"a message that is null":          {`{"message":null}`, silent, nil},
		"an empty message":                {`{"message":""}`, "", nil},
		"a code that is a number":         {`{"code":5,"message":"no tea"}`, "no tea", nil},
		"details that are an object":      {`{"message":"no tea","details":{"stock":2}}`, "no tea", nil},
		"details that are null":           {`{"message":"no tea","details":null}`, "no tea", nil},
		"a detail that is a string":       {`{"message":"no tea","details":["stock",{"name":"stock","value":2}]}`, "no tea", 2.0},
		"a detail without a name":         {`{"message":"no tea","details":[{"value":1},{"name":"stock","value":2}]}`, "no tea", 2.0},
		"a detail whose name is a number": {`{"message":"no tea","details":[{"name":1,"value":1},{"name":"stock","value":2}]}`, "no tea", 2.0},
		"a detail twice":                  {`{"message":"no tea","details":[{"name":"stock","value":2},{"name":"stock","value":3}]}`, "no tea", 2.0},
		"unknown members":                 {`{"message":"no tea","hint":[],"details":[{"name":"stock","value":2,"unit":"kg"}]}`, "no tea", 2.0},
	} {
		for _, m := range []amqp.Publishing{{}, {ContentType: "text/html", ContentEncoding: "gzip"}} {
			m.Body = []byte(c.body)
			m.Headers = amqp.Table{"rpc-code": "not_found", "rpc-outcome": "not-executed", "hint": "h"}
			answer(m)
			var header amqprpc.Header
			_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithReplyHeader(&header))
			require.ErrorIs(t, err, amqprpc.CodeNotFound, name)
			require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err), name)
			require.True(t, amqprpc.IsRemote(err), name)
			require.Equal(t, "h", header["hint"], name)
			if c.message == "" {
				require.Equal(t, queue+": not_found: ", err.Error(), name)
			}
			require.ErrorContains(t, err, c.message, name)
			left, ok := amqprpc.Detail[any](err, "stock")
			require.Equal(t, c.left != nil, ok, name)
			require.Equal(t, c.left, left, name)
		}
	}
	answer(amqp.Publishing{
		Headers: amqp.Table{"rpc-code": "not_found"}, Body: []byte(`{"details":[{"name":"stock"}]}`),
	})
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	left, ok := amqprpc.Detail[any](err, "stock")
	require.True(t, ok, "a detail without a value has the value null")
	require.Nil(t, left)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err), "an absent outcome")
}

// A client checks size, encoding and format of a result in this order, and then decodes.
func TestResultsOfForeignServers(t *testing.T) {
	t.Parallel()
	const limit = 100
	url, queue := brokerURL(t), queueName(t)
	answer := answeringServer(t, url, queue)
	cli := dial(t, url, amqprpc.WithMaxMessageSize(limit))
	long := strings.Repeat(" ", limit+1)
	for name, c := range map[string]struct {
		m    amqp.Publishing
		code amqprpc.Code // of a call that wants a value
		none amqprpc.Code // of a call that wants no content
	}{
		"a value":                  {amqp.Publishing{Body: []byte("5")}, amqprpc.CodeOK, amqprpc.CodeOK},
		"an encoding that is none": {amqp.Publishing{Body: []byte("5"), ContentEncoding: "UTF-8"}, amqprpc.CodeOK, amqprpc.CodeOK},
		"JSON with a parameter":    {amqp.Publishing{Body: []byte("5"), ContentType: "Application/JSON; charset=utf-8"}, amqprpc.CodeOK, amqprpc.CodeOK},
		"no body":                  {amqp.Publishing{}, amqprpc.CodeInternal, amqprpc.CodeOK},
		"an empty object":          {amqp.Publishing{Body: []byte("{}")}, amqprpc.CodeOK, amqprpc.CodeOK},
		"null":                     {amqp.Publishing{Body: []byte("null")}, amqprpc.CodeOK, amqprpc.CodeOK},
		"no JSON":                  {amqp.Publishing{Body: []byte("<")}, amqprpc.CodeInternal, amqprpc.CodeOK},
		"an encoding":              {amqp.Publishing{Body: []byte("5"), ContentEncoding: "gzip"}, amqprpc.CodeInternal, amqprpc.CodeInternal},
		"another format":           {amqp.Publishing{Body: []byte("5"), ContentType: "text/csv"}, amqprpc.CodeInternal, amqprpc.CodeInternal},
		"too large": {amqp.Publishing{Body: []byte(long), ContentEncoding: "gzip", ContentType: "text/csv"},
			amqprpc.CodeResourceExhausted, amqprpc.CodeResourceExhausted},
	} {
		check := func(want amqprpc.Code, err error) {
			require.Equal(t, want, amqprpc.CodeOf(err), "%s: %v", name, err)
			require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err), name)
			require.False(t, amqprpc.IsRemote(err), name)
		}
		answer(c.m)
		_, err := amqprpc.Call[int, any](testContext(t), cli, queue, 1)
		check(c.code, err)
		answer(c.m)
		_, err = amqprpc.Call[int, amqprpc.None](testContext(t), cli, queue, 1)
		check(c.none, err)
	}
}
