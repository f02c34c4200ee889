package amqprpc

import (
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// arrival is a request as a test of clocks sees it.
type arrival struct {
	from   string
	at     time.Duration // since the test's beginning
	lag    time.Duration
	calm   bool
	waited time.Duration // wanted
}

func TestSenderClocks(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	const expires = 500 * ms
	for name, c := range map[string][]arrival{
		"what exceeds the least was waited": {
			{from: "a", lag: 900 * ms},
			{from: "a", at: ms, lag: 950 * ms, waited: 50 * ms},
			{from: "a", at: 2 * ms, lag: 890 * ms},
			{from: "a", at: 3 * ms, lag: 950 * ms, waited: 60 * ms},
		},
		"clocks differ": {
			{from: "a", lag: -700 * ms},
			{from: "b", lag: 700 * ms, at: s},
			{from: "a", lag: -600 * ms, at: s, waited: 100 * ms},
			{from: "b", lag: 800 * ms, at: s, waited: 100 * ms},
		},
		"a new sender's waited like those beside it": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: 10 * s, lag: 200 * ms, waited: 200 * ms},
			{from: "b", at: 10*s + ms, lag: 5200 * ms, waited: 200 * ms},
			{from: "b", at: 10*s + 2*ms, lag: 5100 * ms, waited: 100*ms + 50*ms}, // averaged
		},
		"none is beside it": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: 10 * s, lag: 200 * ms, waited: 200 * ms},
			{from: "b", at: 11 * s, lag: 5200 * ms},
		},
		"a clock set back by more than a request lives": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: s, lag: 5 * s},
			{from: "a", at: 2 * s, lag: 5*s + 100*ms, waited: 100 * ms},
		},
		"a clock set forward": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: s, lag: -5 * s},
			{from: "a", at: 2 * s, lag: -5*s + 100*ms, waited: 100 * ms},
		},
		"a clock set back a little is believed again in two periods": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: 20 * s, lag: 300 * ms, calm: true, waited: 300 * ms},
			{from: "a", at: 40 * s, lag: 300 * ms, calm: true, waited: 300 * ms},
			{from: "a", at: 80 * s, lag: 300 * ms, calm: true},
		},
		"an overload is not the measure, however long": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: 40 * s, lag: 300 * ms, waited: 300 * ms},
			{from: "a", at: 80 * s, lag: 300 * ms, waited: 300 * ms},
			{from: "a", at: 120 * s, lag: 300 * ms, waited: 300 * ms},
			{from: "a", at: 160 * s, lag: 300 * ms, waited: 300 * ms},
		},
		"calm is believed at once of a sender that was first seen in an overload": {
			{from: "a", lag: 300 * ms},
			{from: "a", at: s, lag: 320 * ms, calm: true},
			{from: "a", at: 2 * s, lag: 330 * ms, waited: 10 * ms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs, last, begin := newSenderClocks(), new(lastWait), time.Now()
			for i, a := range c {
				in := &inbound{d: amqp.Delivery{ReplyTo: a.from}, expires: expires, arrived: begin.Add(a.at)}
				require.Equal(t, a.waited, cs.waited(in, a.lag, a.calm, last), "arrival %d", i)
			}
		})
	}
}

// Reply queues come and go, and any name can be given for one.
func TestSenderClocksAreBounded(t *testing.T) {
	t.Parallel()
	cs, last := newSenderClocks(), new(lastWait)
	for i := range 2 * maxSenderClocks {
		cs.waited(&inbound{d: amqp.Delivery{ReplyTo: strconv.Itoa(i)}, arrived: time.Now()}, 0, true, last)
	}
	require.Equal(t, maxSenderClocks, cs.known.Len())
}

// No request makes another's time overflow.
func FuzzSenderClocks(f *testing.F) {
	f.Add("a", int64(0), int64(1000), true, "b", int64(-5000), int64(0), false)
	f.Fuzz(func(t *testing.T, from1 string, stated1, expires1 int64, calm1 bool, from2 string, stated2, expires2 int64, calm2 bool) {
		q := &servedQueue{server: &Server{clocks: newSenderClocks()}, pressure: pressure{bound: 1}}
		for range 2 {
			for _, a := range []struct {
				from            string
				stated, expires int64
				calm            bool
			}{{from1, stated1, expires1, calm1}, {from2, stated2, expires2, calm2}} {
				in := &inbound{d: amqp.Delivery{ReplyTo: a.from}, plain: true, stated: a.stated, arrived: time.Now(), queue: q,
					expires: expiration(strconv.FormatInt(a.expires, 10))}
				q.arrives(in)
				require.GreaterOrEqual(t, in.waited, time.Duration(0))
				require.LessOrEqual(t, in.waited, max(in.expires, 0)+overstay)
			}
		}
	})
}
