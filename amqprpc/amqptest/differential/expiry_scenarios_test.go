package differential

import "time"

// expiryScenarios are about messages that a consumer had when their time was up. Unacknowledged
// they live on; the moment they come back they are expired.
func expiryScenarios() group {
	const ttl, over = 150 * time.Millisecond, 300 * time.Millisecond
	// A source is where the time to live comes from.
	type source struct {
		name  string
		queue Table
		props M
	}
	sources := []source{
		{"queue-ttl", Table{"x-message-ttl": int(ttl.Milliseconds())}, nil},
		{"message-ttl", nil, M{"expiration": "150"}},
	}
	var scenarios []scenario
	add := func(name string, run func(*S)) { scenarios = append(scenarios, scenario{name, run}) }
	for _, from := range sources {
		for _, way := range waysBack() {
			add(from.name+"-"+way.name, func(s *S) {
				ch := s.Dial().Channel()
				dead, q := ch.Queue(s.N("dead")), s.N("q")
				ch.Queue(q, dlx(dead, from.queue))
				con := s.Dial().Channel()
				con.Consume(q, "c")
				ch.Publish("", q, "a", from.props)
				m := con.Deliver(1)[0]
				s.Wait(over)
				way.back(con, m)
				s.Settle(dead, 1)
				ch.GetAll(dead)
				ch.Count(q)
			})
		}
	}
	for _, way := range waysBack() {
		add("no-dead-letters-"+way.name, func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": int(ttl.Milliseconds())})
			con := s.Dial().Channel()
			con.Consume(q, "c")
			ch.Publish("", q, "a")
			m := con.Deliver(1)[0]
			s.Wait(over)
			way.back(con, m)
			ch.Quiet()
			ch.Get(q)
		})
		add("ttl-zero-"+way.name, func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead, Table{"x-message-ttl": 0}))
			con := s.Dial().Channel()
			con.Consume(q, "c")
			ch.Publish("", q, "a")
			way.back(con, con.Deliver(1)[0])
			s.Settle(dead, 1)
			ch.GetAll(dead)
		})
	}
	return group{name: "expiry", scenarios: append(scenarios, moreExpiryScenarios(ttl, over)...)}
}

// wayBack is how a consumer's message comes back to its queue.
type wayBack struct {
	name string
	back func(ch *Chan, m *message)
}

func waysBack() []wayBack {
	return []wayBack{
		{"rejected", func(ch *Chan, m *message) { ch.Reject(m, true) }},
		{"nacked", func(ch *Chan, m *message) { ch.Nack(m, true, true) }},
		{"recovered", func(ch *Chan, _ *message) { ch.Call("basic.recover", M{"requeue": true}) }},
		{"recovered-async", func(ch *Chan, _ *message) { ch.Send("basic.recover-async", M{"requeue": true}) }},
		{"cancelled-and-nacked", func(ch *Chan, m *message) {
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Nack(m, false, true)
		}},
		{"channel-closed", func(ch *Chan, _ *message) { ch.Call("channel.close", M{"reply-code": 200}) }},
		{"channel-failed", func(ch *Chan, _ *message) {
			ch.Send("basic.ack", M{"delivery-tag": 99})
			ch.Closed()
		}},
		{"connection-closed", func(ch *Chan, _ *message) { ch.c.Call("connection.close", M{"reply-code": 200}) }},
		{"connection-lost", func(ch *Chan, _ *message) { ch.c.Abort() }},
		{"rolled-into-a-transaction", func(ch *Chan, m *message) {
			ch.Call("tx.select", nil)
			ch.Nack(m, false, true)
			ch.Call("tx.commit", nil)
		}},
	}
}

func moreExpiryScenarios(ttl, over time.Duration) []scenario {
	ms := int(ttl.Milliseconds())
	return []scenario{
		{"message-zero-rejected", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Publish("", q, "a", M{"expiration": "0"})
			ch.Reject(ch.Deliver(1)[0], true)
			ch.Quiet()
			ch.Count(q)
		}},
		{"zero-rejected-beside-a-waiting-consumer", func(s *S) {
			c := s.Dial()
			ch, other := c.Channel(), c.Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 0})
			ch.Consume(q, "one")
			ch.Publish("", q, "a")
			m := ch.Deliver(1)[0]
			other.Consume(q, "two")
			ch.Reject(m, true)
			other.Quiet()
			ch.Quiet()
			ch.Count(q)
		}},
		{"expired-beside-a-waiting-consumer", func(s *S) {
			c := s.Dial()
			ch, other := c.Channel(), c.Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": ms})
			ch.Consume(q, "one")
			ch.Publish("", q, "a")
			m := ch.Deliver(1)[0]
			other.Consume(q, "two")
			s.Wait(over)
			ch.Reject(m, true)
			other.Quiet()
			ch.Count(q)
		}},
		{"back-in-time-is-redelivered-and-expires-later", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead, Table{"x-message-ttl": 1500}))
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			ch.Reject(ch.Deliver(1)[0], true)
			m := ch.Deliver(1)[0]
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			ch.Reject(m, true)
			ch.Count(q)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"several-come-back-some-expired", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead))
			con := s.Dial().Channel()
			con.Consume(q, "c")
			for _, m := range []struct{ body, ttl string }{{"1", "100"}, {"2", "60000"}, {"3", "100"}, {"4", ""}} {
				props := M{}
				if m.ttl != "" {
					props["expiration"] = m.ttl
				}
				ch.Publish("", q, m.body, props)
			}
			con.Deliver(4)
			s.Wait(over)
			con.Call("channel.close", M{"reply-code": 200})
			s.Settle(dead, 1)
			ch.GetAll(dead)
			ch.GetAll(q)
			s.Settle(dead, 0)
		}},
		{"priority-queue", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead, Table{"x-message-ttl": ms, "x-max-priority": 3}))
			ch.Consume(q, "c")
			ch.Publish("", q, "a", M{"priority": 2})
			m := ch.Deliver(1)[0]
			s.Wait(over)
			ch.Reject(m, true)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"single-active-consumer", func(s *S) {
			ch := s.Dial().Channel()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Queue(q, dlx(dead, Table{"x-message-ttl": ms, "x-single-active-consumer": true}))
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			m := ch.Deliver(1)[0]
			s.Wait(over)
			ch.Reject(m, true)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
		{"dead-letter-handed-straight-on", func(s *S) {
			ch := s.Dial().Channel()
			end, mid, q := ch.Queue(s.N("end")), s.N("mid"), s.N("q")
			ch.Queue(mid, dlx(end, Table{"x-message-ttl": ms}))
			ch.Queue(q, dlx(mid))
			ch.Consume(mid, "c")
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), false)
			m := ch.Deliver(1)[0]
			s.Wait(over)
			ch.Reject(m, true)
			s.Settle(end, 1)
			ch.GetAll(end)
		}},
		{"dead-letter-handed-straight-on-by-a-quorum-queue", func(s *S) {
			ch := s.Dial().Channel()
			mid, q := s.N("mid"), s.N("q")
			ch.Call("queue.declare", M{"queue": mid, "durable": true, "arguments": Table{"x-queue-type": "quorum"}})
			ch.Queue(q, dlx(mid))
			ch.Consume(mid, "c")
			ch.Publish("", q, "a")
			ch.Reject(ch.Get(q), false)
			ch.Deliver(1)
		}},
		{"quorum-queue-ttl", quorumExpiry(Table{"x-message-ttl": ms}, nil, over)},
		{"quorum-message-ttl", quorumExpiry(nil, M{"expiration": "150"}, over)},
		{"quorum-ttl-zero", quorumExpiry(Table{"x-message-ttl": 0}, nil, 50*time.Millisecond)},
		{"quorum-message-zero", quorumExpiry(nil, M{"expiration": "0"}, 50*time.Millisecond)},
		{"quorum-channel-closed", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead, q := ch.Queue(s.N("dead")), s.N("q")
			ch.Call("queue.declare", M{"queue": q, "durable": true, "arguments": dlx(dead, Table{"x-queue-type": "quorum", "x-message-ttl": ms})})
			con := s.Dial().Channel()
			con.Consume(q, "c")
			ch.Publish("", q, "a")
			ch.Confirms(1)
			con.Deliver(1)
			s.Wait(over)
			con.Call("channel.close", M{"reply-code": 200})
			s.Settle(dead, 1)
			ch.GetAll(dead)
		}},
	}
}

// quorumExpiry has the consumer of a quorum queue give a message back too late.
func quorumExpiry(args Table, props M, after time.Duration) func(*S) {
	return func(s *S) {
		ch := s.Dial().Channel()
		ch.Confirm()
		dead, q := ch.Queue(s.N("dead")), s.N("q")
		ch.Call("queue.declare", M{"queue": q, "durable": true, "arguments": dlx(dead, Table{"x-queue-type": "quorum"}, args)})
		con := s.Dial().Channel()
		con.Consume(q, "c")
		ch.Publish("", q, "a", props)
		ch.Confirms(1)
		m := con.Deliver(1)[0]
		s.Wait(after)
		con.Reject(m, true)
		s.Settle(dead, 1)
		ch.GetAll(dead)
	}
}
