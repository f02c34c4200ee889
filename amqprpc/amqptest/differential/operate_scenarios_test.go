package differential

import (
	"strings"
	"time"
)

// policyScenarios are about policies, each of which matches the names of its scenario alone.
func policyScenarios() group {
	// with sets a policy for the queues and exchanges of a scenario whose names end with some
	// text, and clears it at the end.
	with := func(definition, end string, f func(s *S, ch *Chan), more ...string) func(*S) {
		return func(s *S) {
			pattern := "^" + strings.ReplaceAll(s.prefix, ".", `\.`) + `\.` + end + "$"
			s.Operate(append([]string{"set_policy", s.prefix, pattern, strings.ReplaceAll(definition, "DEAD", s.N("dead"))}, more...)...)
			defer s.Operate("clear_policy", s.prefix)
			ch := s.Dial().Channel()
			ch.Confirm()
			f(s, ch)
		}
	}
	publish := func(ch *Chan, q string, bodies ...string) {
		for _, body := range bodies {
			ch.Publish("", q, body)
		}
		ch.Confirms(len(bodies))
	}
	return group{name: "policy", scenarios: []scenario{
		{"message-ttl", with(`{"message-ttl": 50}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a")
			s.Settle(q, 0)
		})},
		{"lower-ttl-counts", with(`{"message-ttl": 60000}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 50})
			publish(ch, q, "a")
			s.Settle(q, 0)
		})},
		{"lower-length-counts", with(`{"max-length": 2}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"), Table{"x-max-length": 3})
			publish(ch, q, "a", "b", "c", "d")
			ch.GetAll(q)
		})},
		{"length-in-octets", with(`{"max-length-bytes": 2}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a", "b", "c", "d")
			ch.GetAll(q)
		})},
		{"reject-publish", with(`{"max-length": 1, "overflow": "reject-publish"}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a", "b")
			ch.GetAll(q)
		})},
		{"dead-letters", with(`{"dead-letter-exchange": "", "dead-letter-routing-key": "DEAD"}`, "q", func(s *S, ch *Chan) {
			dead, q := ch.Queue(s.N("dead")), ch.Queue(s.N("q"))
			publish(ch, q, "a")
			ch.Reject(ch.Get(q), false)
			s.Settle(dead, 1)
			ch.GetAll(dead)
		})},
		{"argument-comes-before-it", with(`{"dead-letter-exchange": "", "dead-letter-routing-key": "DEAD"}`, "q", func(s *S, ch *Chan) {
			dead, own := ch.Queue(s.N("dead")), ch.Queue(s.N("own"))
			q := ch.Queue(s.N("q"), dlx(own))
			publish(ch, q, "a")
			ch.Reject(ch.Get(q), false)
			s.Settle(own, 1)
			ch.Count(dead)
		})},
		{"expires", with(`{"expires": 100}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"))
			s.Wait(500 * time.Millisecond)
			ch.Count(q)
		})},
		{"alternate-exchange", with(`{"alternate-exchange": "amq.fanout"}`, "x", func(s *S, ch *Chan) {
			ch.Exchange(s.N("x"), "direct")
			q := ch.Queue(s.N("q"))
			ch.Bind(q, "amq.fanout", "")
			ch.Publish(s.N("x"), "k", "a")
			ch.Confirms(1)
			ch.GetAll(q)
		})},
		{"for-exchanges-alone", with(`{"max-length": 1}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a", "b")
			ch.Count(q)
		}, "--apply-to", "exchanges")},
		{"no-part-of-equivalence", with(`{"max-length": 1}`, "q", func(s *S, ch *Chan) {
			q := ch.Queue(s.N("q"))
			ch.Queue(q)
			ch.Queue(q, Table{"x-max-length": 1})
		})},
		{"delivery-limit", with(`{"delivery-limit": 1}`, "q", func(s *S, ch *Chan) {
			q := s.N("q")
			ch.Call("queue.declare", M{"queue": q, "durable": true, "arguments": Table{"x-queue-type": "quorum"}})
			publish(ch, q, "a")
			ch.Reject(ch.Get(q), true)
			s.Settle(q, 1)
			ch.Reject(ch.Get(q), true)
			s.Settle(q, 0)
		})},
		{"highest-priority-alone", with(`{"max-length": 2}`, "q", func(s *S, ch *Chan) {
			s.Operate("set_policy", s.prefix+"-other", "^"+strings.ReplaceAll(s.prefix, ".", `\.`), `{"message-ttl": 60000}`, "--priority", "7")
			defer s.Operate("clear_policy", s.prefix+"-other")
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a", "b", "c")
			ch.Count(q)
		})},
		{"set-and-cleared-later", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a", "b", "c")
			s.Operate("set_policy", s.prefix, "^"+strings.ReplaceAll(q, ".", `\.`)+"$", `{"max-length": 1, "message-ttl": 60000}`)
			s.Settle(q, 1)
			publish(ch, q, "d")
			ch.Count(q)
			s.Operate("clear_policy", s.prefix)
			publish(ch, q, "e")
			s.Settle(q, 2)
			ch.GetAll(q)
		}},
		{"ttl-set-later-is-for-what-comes", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			publish(ch, q, "a")
			s.Operate("set_policy", s.prefix, "^"+strings.ReplaceAll(q, ".", `\.`)+"$", `{"message-ttl": 50}`)
			s.Wait(300 * time.Millisecond)
			ch.Count(q)
			s.Operate("clear_policy", s.prefix)
		}},
	}}
}

// operatorScenarios are about users and virtual hosts that come and go.
func operatorScenarios() group {
	as := func(user, vhost string) handshake {
		return handshake{mechanism: "PLAIN", response: "\x00" + user + "\x00secret", vhost: vhost}
	}
	return group{name: "operator", scenarios: []scenario{
		{"user-without-permissions", func(s *S) {
			s.Operate("add_user", s.N("u"), "secret")
			as(s.N("u"), "/").run(s.Connect())
			s.Operate("delete_user", s.N("u"))
		}},
		{"user-deleted", func(s *S) {
			s.Operate("add_user", s.N("u"), "secret")
			s.Operate("set_permissions", "-p", "/", s.N("u"), ".*", ".*", ".*")
			c := s.DialAs(as(s.N("u"), "/"))
			c.Channel()
			s.Operate("delete_user", s.N("u"))
			c.Closed()
			as(s.N("u"), "/").run(s.Connect())
		}},
		{"password-changed", func(s *S) {
			s.Operate("add_user", s.N("u"), "secret")
			s.Operate("set_permissions", "-p", "/", s.N("u"), ".*", ".*", ".*")
			c := s.DialAs(as(s.N("u"), "/"))
			s.Operate("change_password", s.N("u"), "other")
			as(s.N("u"), "/").run(s.Connect())
			c.Channel().Queue(s.N("q"))
			s.Operate("delete_user", s.N("u"))
			c.Closed()
		}},
		{"permissions-changed", func(s *S) {
			s.Operate("add_user", s.N("u"), "secret")
			s.Operate("set_permissions", "-p", "/", s.N("u"), ".*", "", "")
			c := s.DialAs(as(s.N("u"), "/"))
			c.Channel().Queue(s.N("q"))
			c.Channel().Get(s.N("q"))
			s.Operate("set_permissions", "-p", "/", s.N("u"), "", "", ".*")
			c.Channel().Get(s.N("q"))
			c.Channel().Queue(s.N("r"))
			s.Operate("clear_permissions", "-p", "/", s.N("u"))
			c.Channel().Get(s.N("q"))
			as(s.N("u"), "/").run(s.Connect())
			s.Operate("delete_user", s.N("u"))
			c.Closed()
		}},
		{"vhost-comes-and-goes", func(s *S) {
			s.Operate("add_vhost", s.N("v"))
			s.Operate("set_permissions", "-p", s.N("v"), "guest", ".*", ".*", ".*")
			c := s.DialAs(handshake{vhost: s.N("v")})
			c.Channel().Call("queue.declare", M{"queue": "q", "exclusive": true})
			s.Operate("delete_vhost", s.N("v"))
			if m := c.take(0, named("connection.close")); m != nil {
				// The text is "is deleted" or, by chance, "is down".
				s.Note("closed with %v", m.fields["reply-code"])
			}
			c.closed = true
			handshake{vhost: s.N("v")}.run(s.Connect())
		}},
	}}
}

// defaultTypeScenarios are about virtual hosts whose queues are quorum queues unless they
// say otherwise.
func defaultTypeScenarios() group {
	in := func(f func(s *S, ch *Chan)) func(*S) {
		return func(s *S) {
			s.Operate("add_vhost", s.N("v"), "--default-queue-type", "quorum")
			s.Operate("set_permissions", "-p", s.N("v"), "guest", ".*", ".*", ".*")
			c := s.DialAs(handshake{vhost: s.N("v")})
			f(s, c.Channel())
			c.Call("connection.close", M{"reply-code": 200})
			s.Operate("delete_vhost", s.N("v"))
		}
	}
	return group{name: "default-type", releases: []string{"4.0", "4.3"}, scenarios: []scenario{
		{"durable", in(func(_ *S, ch *Chan) {
			ch.Call("queue.declare", M{"queue": "q", "durable": true})
			ch.Call("queue.declare", M{"queue": "q", "durable": true})
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "arguments": Table{"x-queue-type": "quorum"}})
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "arguments": Table{"x-queue-type": "classic"}})
		})},
		{"not-durable", in(func(_ *S, ch *Chan) {
			ch.Call("queue.declare", M{"queue": "q"})
			ch.Call("queue.declare", M{"queue": "q", "arguments": Table{"x-queue-type": "classic"}})
		})},
		{"exclusive", in(func(_ *S, ch *Chan) {
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "exclusive": true})
			ch.Call("queue.declare", M{"queue": "q", "exclusive": true, "arguments": Table{"x-queue-type": "classic"}})
		})},
		{"auto-delete", in(func(_ *S, ch *Chan) {
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "auto-delete": true})
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "auto-delete": true, "arguments": Table{"x-queue-type": "classic"}})
		})},
		{"said-otherwise", in(func(_ *S, ch *Chan) {
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "arguments": Table{"x-queue-type": "classic"}})
			ch.Call("queue.declare", M{"queue": "q", "durable": true})
		})},
		{"with-an-argument-for-classic-alone", in(func(_ *S, ch *Chan) {
			ch.Call("queue.declare", M{"queue": "q", "durable": true, "arguments": Table{"x-max-priority": 3}})
		})},
		{"server-named", in(func(_ *S, ch *Chan) { ch.Call("queue.declare", M{"durable": true}) })},
	}}
}

// stopScenarios stop the broker, or raise alarms, and so are alone.
func stopScenarios() group {
	const much, little = "100000GB", "50MB"
	return group{name: "stop", alone: true, scenarios: []scenario{
		{"in-good-order", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			ch.Confirm()
			ch.Call("queue.declare", M{"queue": s.N("q"), "durable": true})
			ch.Publish("", s.N("q"), "persistent", M{"delivery-mode": 2})
			ch.Publish("", s.N("q"), "transient")
			ch.Confirms(2)
			s.Operate("stop_app")
			c.Closed()
			s.Operate("start_app")
			ch = s.Dial().Channel()
			ch.GetAll(s.N("q"))
		}},
		{"disk-alarm", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			s.Operate("set_disk_free_limit", much)
			defer s.Operate("set_disk_free_limit", little)
			ch.Publish("", q, "stuck")
			c.Expect("connection.blocked")
			s.Operate("set_disk_free_limit", little)
			c.Expect("connection.unblocked")
		}},
		{"both-alarms", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"))
			s.Block(true)
			defer s.Block(false)
			s.Operate("set_disk_free_limit", much)
			defer s.Operate("set_disk_free_limit", little)
			ch.Publish("", q, "stuck")
			c.Expect("connection.blocked")
			s.Block(false)
			ch.Quiet()
			s.Operate("set_disk_free_limit", little)
			c.Expect("connection.unblocked")
		}},
	}}
}
