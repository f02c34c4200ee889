package amqptest_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// declareExchange declares a transient exchange.
func declareExchange(t testing.TB, ch *amqp.Channel, name, kind string, args amqp.Table) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(name, kind, false, false, false, false, args))
}

func bind(t testing.TB, ch *amqp.Channel, queue, key, exchange string, args amqp.Table) {
	t.Helper()
	require.NoError(t, ch.QueueBind(queue, key, exchange, false, args))
}

// ready is the count of each queue's messages.
func ready(t testing.TB, ch *amqp.Channel, queues ...string) []int {
	t.Helper()
	var counts []int
	for _, q := range queues {
		counts = append(counts, count(t, ch, q))
	}
	return counts
}

func send(t testing.TB, ch *amqp.Channel, exchange, key string, headers amqp.Table) {
	t.Helper()
	require.NoError(t, ch.Publish(exchange, key, false, false, amqp.Publishing{Headers: headers}))
}

func TestDirectExchange(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "a", nil)
	declare(t, ch, "b", nil)
	bind(t, ch, "a", "k", "amq.direct", nil)
	bind(t, ch, "b", "k", "amq.direct", nil)
	bind(t, ch, "b", "other", "amq.direct", nil)
	bind(t, ch, "b", "other", "amq.direct", nil) // the same again is one
	send(t, ch, "amq.direct", "k", nil)
	send(t, ch, "amq.direct", "other", nil)
	send(t, ch, "amq.direct", "nobody", nil)
	require.Equal(t, []int{1, 2}, ready(t, ch, "a", "b"))
	require.NoError(t, ch.QueueUnbind("b", "k", "amq.direct", nil))
	send(t, ch, "amq.direct", "k", nil)
	require.Equal(t, []int{2, 2}, ready(t, ch, "a", "b"))
	require.NoError(t, ch.QueueUnbind("b", "no such binding", "amq.direct", nil))
	require.NoError(t, ch.QueueUnbind("b", "k", "no such exchange", nil))
}

func TestFanoutExchangeReachesEachQueueOnce(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "a", nil)
	declare(t, ch, "b", nil)
	bind(t, ch, "a", "1", "amq.fanout", nil)
	bind(t, ch, "a", "2", "amq.fanout", nil)
	bind(t, ch, "b", "", "amq.fanout", nil)
	send(t, ch, "amq.fanout", "whatever", nil)
	require.Equal(t, []int{1, 1}, ready(t, ch, "a", "b"))
}

func TestTopicExchange(t *testing.T) {
	t.Parallel()
	for pattern, keys := range map[string]map[string]bool{
		"a.b":     {"a.b": true, "a": false, "a.b.c": false, "": false, "a.": false, "*.b": false},
		"*":       {"a": true, "": false, "a.b": false, "*": true, "#": true},
		"#":       {"a": true, "": true, "a.b.c": true, ".": true},
		"*.*":     {"a.b": true, ".": true, "a": false, "a.b.c": false},
		"a.#":     {"a": true, "a.b": true, "a.b.c": true, "b.a": false, "a.": true},
		"#.z":     {"z": true, "y.z": true, "x.y.z": true, "z.y": false},
		"a.*.c":   {"a.b.c": true, "a..c": true, "a.c": false, "a.b.b.c": false},
		"a.#.c":   {"a.c": true, "a.b.c": true, "a.b.b.c": true, "a.b": false},
		"#.b.#":   {"b": true, "a.b.c": true, "a.a.b": true, "a": false},
		"*.#":     {"a": true, "a.b": true, "": false},
		"#.#.#":   {"": true, "a.b.c.d": true},
		"#.a.#.b": {"a.b": true, "x.a.y.b": true, "b.a": false, "a.b.b": true},
		"":        {"": true, "a": false}, // no word at all
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			ch := channel(t)
			declare(t, ch, "q", nil)
			bind(t, ch, "q", pattern, "amq.topic", nil)
			for key, want := range keys {
				send(t, ch, "amq.topic", key, nil)
				n, err := ch.QueuePurge("q", false)
				require.NoError(t, err)
				require.Equal(t, want, n == 1, "key %q", key)
			}
			require.NoError(t, ch.QueueUnbind("q", pattern, "amq.topic", nil))
			send(t, ch, "amq.topic", "a.b.c", nil)
			require.Zero(t, count(t, ch, "q"))
		})
	}
}

func TestHeadersExchange(t *testing.T) {
	t.Parallel()
	ab := amqp.Table{"a": 1, "b": "two"}
	for name, c := range map[string]struct {
		args amqp.Table
		want map[string]bool
	}{
		"all by default": {ab, map[string]bool{"both": true, "one": false, "none": false, "wide": true}},
		"all":            {amqp.Table{"x-match": "all", "a": 1, "b": "two"}, map[string]bool{"both": true, "one": false}},
		"any":            {amqp.Table{"x-match": "any", "a": 1, "b": "two"}, map[string]bool{"both": true, "one": true, "none": false, "other": false}},
		"presence":       {amqp.Table{"a": nil}, map[string]bool{"both": true, "other": true, "none": false}},
		"nothing":        {amqp.Table{}, map[string]bool{"none": true}},
		"any of nothing": {amqp.Table{"x-match": "any"}, map[string]bool{"none": false, "both": false}},
		"x- is ignored":  {amqp.Table{"a": 1, "x-b": 1}, map[string]bool{"one": true}},
		"… or not":       {amqp.Table{"x-match": "all-with-x", "a": 1, "x-b": 1}, map[string]bool{"one": false, "x": true}},
		"any with x":     {amqp.Table{"x-match": "any-with-x", "x-b": 1}, map[string]bool{"x": true, "one": false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := channel(t)
			declare(t, ch, "q", nil)
			bind(t, ch, "q", "", "amq.headers", c.args)
			messages := map[string]amqp.Table{
				"both": ab, "one": {"a": 1}, "none": nil, "other": {"a": 2}, "x": {"a": 1, "x-b": 1},
				"wide": {"a": int64(1), "b": "two", "c": 3},
			}
			for message, want := range c.want {
				send(t, ch, "amq.headers", "", messages[message])
				n, err := ch.QueuePurge("q", false)
				require.NoError(t, err)
				require.Equal(t, want, n == 1, message)
			}
		})
	}
}

func TestExchangesBindToExchanges(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declareExchange(t, ch, "in", "topic", nil)
	declareExchange(t, ch, "out", "fanout", nil)
	require.NoError(t, ch.ExchangeBind("out", "a.*", "in", false, nil))
	require.NoError(t, ch.ExchangeBind("in", "", "out", false, nil)) // a circle
	declare(t, ch, "q", nil)
	bind(t, ch, "q", "", "out", nil)
	send(t, ch, "in", "a.b", nil)
	send(t, ch, "in", "b", nil)
	require.Equal(t, 1, count(t, ch, "q"))
	require.NoError(t, ch.ExchangeUnbind("out", "a.*", "in", false, nil))
	send(t, ch, "in", "a.b", nil)
	require.Equal(t, 1, count(t, ch, "q"))
}

func TestAlternateExchange(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declareExchange(t, ch, "alternate", "fanout", nil)
	declareExchange(t, ch, "main", "direct", amqp.Table{"alternate-exchange": "alternate"})
	declareExchange(t, ch, "lost", "direct", amqp.Table{"alternate-exchange": "nowhere"})
	declare(t, ch, "routed", nil)
	declare(t, ch, "unrouted", nil)
	bind(t, ch, "routed", "k", "main", nil)
	bind(t, ch, "unrouted", "", "alternate", nil)
	send(t, ch, "main", "k", nil)
	send(t, ch, "main", "x", nil)
	send(t, ch, "lost", "x", nil)
	require.Equal(t, []int{1, 1}, ready(t, ch, "routed", "unrouted"))
}

func TestAutoDeleteExchangeGoesWithItsLastBinding(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	require.NoError(t, ch.ExchangeDeclare("x", "fanout", false, true, false, false, nil))
	declare(t, ch, "q", nil)
	bind(t, ch, "q", "", "x", nil)
	_, err := ch.QueueDelete("q", false, false, false)
	require.NoError(t, err)
	err = ch.ExchangeDeclarePassive("x", "fanout", false, true, false, false, nil)
	requireCode(t, err, 404, "NOT_FOUND - no exchange 'x' in vhost '/'")
}

func TestCarbonCopies(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	for _, q := range []string{"to", "cc", "bcc"} {
		declare(t, ch, q, nil)
	}
	send(t, ch, "", "to", amqp.Table{"CC": []any{"cc"}, "BCC": []any{"bcc", "nobody"}, "other": "x"})
	require.Equal(t, []int{1, 1, 1}, ready(t, ch, "to", "cc", "bcc"))
	d := receive(t, consume(t, ch, "cc", "", true, nil))
	require.Equal(t, amqp.Table{"CC": []any{"cc"}, "other": "x"}, d.Headers)
	require.Equal(t, "to", d.RoutingKey)
}
