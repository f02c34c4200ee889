package differential

import "time"

func ttlScenarios() group {
	return group{name: "ttl", scenarios: []scenario{
		{"message-expires", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a", M{"expiration": "50"})
			s.Settle(q, 0)
			ch.Get(q)
		}},
		{"consumer-sees-the-original-value", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a", M{"expiration": "60000"})
			s.Wait(20 * time.Millisecond)
			ch.Get(q)
		}},
		{"queue-expires-messages", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 50})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			s.Settle(q, 0)
		}},
		{"shorter-of-both-message", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 60000})
			ch.Publish("", q, "a", M{"expiration": "50"})
			s.Settle(q, 0)
		}},
		{"shorter-of-both-queue", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 50})
			ch.Publish("", q, "a", M{"expiration": "60000"})
			s.Settle(q, 0)
		}},
		{"only-at-the-head", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "first")
			ch.Publish("", q, "second", M{"expiration": "1"})
			s.Wait(100 * time.Millisecond)
			ch.Count(q)
			ch.GetAll(q)
		}},
		{"head-expires-after-the-one-before-is-taken", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "first")
			ch.Publish("", q, "second", M{"expiration": "1"})
			ch.Publish("", q, "third")
			s.Wait(50 * time.Millisecond)
			ch.Get(q)
			ch.Get(q)
		}},
		{"unacknowledged-does-not-expire", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a", M{"expiration": "300"})
			ch.Publish("", q, "b")
			m := ch.Get(q)
			s.Wait(400 * time.Millisecond)
			ch.Ack(m)
			ch.Get(q)
		}},
		{"requeued-when-expired-is-gone", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a", M{"expiration": "300"})
			m := ch.Get(q)
			s.Wait(400 * time.Millisecond)
			ch.Reject(m, true)
			s.Settle(q, 0)
			ch.Get(q)
		}},
		{"zero-without-a-consumer", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			ch.PublishWith(M{"routing-key": q, "mandatory": true}, "a", M{"expiration": "0"})
			ch.Confirms(1)
			ch.Get(q)
		}},
		{"zero-with-a-waiting-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Consume(q, "c")
			ch.Publish("", q, "a", M{"expiration": "0"})
			ch.Deliver(1)
		}},
		{"zero-with-a-full-prefetch", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Qos(1)
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			m := ch.Deliver(1)[0]
			ch.Publish("", q, "b", M{"expiration": "0"})
			ch.Count(q)
			ch.Ack(m)
			ch.Quiet()
		}},
		{"queue-ttl-zero", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 0})
			ch.Publish("", q, "a")
			ch.Count(q)
			ch.Consume(q, "c")
			ch.Publish("", q, "b")
			ch.Deliver(1)
		}},
		{"expires-in-order-of-arrival", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			for _, ttl := range []string{"10", "20", "30"} {
				ch.Publish("", q, ttl, M{"expiration": ttl})
			}
			ch.Publish("", q, "stays")
			s.Settle(q, 1)
			ch.GetAll(q)
		}},
	}}
}

func expiresScenarios() group {
	return group{name: "expires", scenarios: []scenario{
		{"unused-queue", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-expires": 60})
			ch.Publish("", q, "a")
			s.Wait(250 * time.Millisecond) // looking at it meanwhile would be a use
			ch.Count(q)
		}},
		{"consumer-keeps-it", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-expires": 300})
			ch.Consume(q, "c")
			s.Wait(600 * time.Millisecond)
			ch.Publish("", q, "a")
			ch.Deliver(1)
		}},
		{"counts-from-the-last-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-expires": 300})
			ch.Consume(q, "c")
			s.Wait(500 * time.Millisecond)
			ch.Call("basic.cancel", M{"consumer-tag": "c"})
			s.Wait(600 * time.Millisecond)
			ch.Count(q)
		}},
		{"declare-and-get-are-uses", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-expires": 1000})
			for range 3 {
				s.Wait(300 * time.Millisecond)
				ch.Get(q)
				s.Wait(300 * time.Millisecond)
				ch.Queue(q, Table{"x-expires": 1000})
			}
		}},
		{"publish-is-no-use", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-expires": 600})
			s.Wait(400 * time.Millisecond)
			ch.Publish("", q, "a")
			s.Wait(400 * time.Millisecond)
			ch.Get(q)
		}},
		{"messages-are-not-dead-lettered", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-expires": 60, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			s.Wait(200 * time.Millisecond)
			ch.Count(dead)
			ch.Count(q)
		}},
	}}
}

func lengthScenarios() group {
	return group{name: "length", scenarios: []scenario{
		{"drop-head", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 2})
			for _, body := range []string{"a", "b", "c", "d"} {
				ch.Publish("", q, body)
			}
			ch.GetAll(q)
		}},
		{"drop-head-confirms-all", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "drop-head"})
			for _, body := range []string{"a", "b"} {
				ch.Publish("", q, body)
			}
			ch.Confirms(2)
			ch.GetAll(q)
		}},
		{"unacknowledged-do-not-count", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1})
			ch.Publish("", q, "a")
			held := ch.Get(q)
			ch.Publish("", q, "b")
			ch.Count(q)
			ch.Reject(held, true)
			ch.GetAll(q)
		}},
		{"zero", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 0})
			ch.Publish("", q, "a")
			ch.Count(q)
			ch.Consume(q, "c")
			ch.Publish("", q, "b")
			ch.Deliver(1)
		}},
		{"bytes", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length-bytes": 10})
			for _, body := range []string{"aaaaa", "bbbbb", "c", "ddddddddd"} {
				ch.Publish("", q, body)
				ch.Count(q)
			}
			ch.GetAll(q)
		}},
		{"bytes-one-too-large", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length-bytes": 10})
			ch.Publish("", q, "small")
			ch.Publish("", q, "larger than ten")
			ch.Count(q)
		}},
		{"both-limits", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 3, "x-max-length-bytes": 10})
			for _, body := range []string{"a", "b", "c", "d", "eeeeeeeee"} {
				ch.Publish("", q, body)
				ch.Count(q)
			}
			ch.GetAll(q)
		}},
		{"dropped-head-is-dead-lettered", func(s *S) {
			ch := s.Dial().Channel()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			s.Settle(dead, 1)
			ch.GetAll(dead)
			ch.GetAll(q)
		}},
		{"reject-publish-without-confirms", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish"})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.GetAll(q)
			ch.Publish("", q, "c")
			ch.GetAll(q)
		}},
		{"reject-publish-is-not-returned", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 0, "x-overflow": "reject-publish"})
			ch.PublishWith(M{"routing-key": q, "mandatory": true}, "a")
			ch.Next(1)
			ch.Quiet()
		}},
		{"reject-publish-bytes", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length-bytes": 5, "x-overflow": "reject-publish"})
			for _, body := range []string{"aaa", "bbb", "ccc"} {
				ch.Publish("", q, body)
				ch.Confirms(1)
			}
			ch.GetAll(q)
		}},
		{"reject-publish-with-a-waiting-consumer", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-max-length": 0, "x-overflow": "reject-publish"})
			ch.Consume(q, "c")
			ch.Publish("", q, "a")
			ch.Confirms(1)
			ch.Quiet()
		}},
		{"reject-publish-dead-letters-nothing", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish",
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Confirms(2)
			ch.Quiet()
			ch.Count(dead)
		}},
		{"reject-publish-dlx", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			dead := ch.Queue(s.N("dead"))
			q := ch.Queue(s.N("q"), Table{"x-max-length": 1, "x-overflow": "reject-publish-dlx",
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Confirms(2)
			s.Settle(dead, 1)
			ch.GetAll(dead)
			ch.GetAll(q)
		}},
	}}
}

func priorityScenarios() group {
	return group{name: "priority", scenarios: []scenario{
		{"highest-first", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5})
			for i, p := range []int{1, 5, 0, 3, 5, 1} {
				ch.Publish("", q, string(rune('a'+i)), M{"priority": p})
			}
			ch.GetAll(q)
		}},
		{"none-is-zero-and-more-is-the-most", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 2})
			ch.Publish("", q, "none")
			ch.Publish("", q, "zero", M{"priority": 0})
			ch.Publish("", q, "two", M{"priority": 2})
			ch.Publish("", q, "nine", M{"priority": 9})
			ch.Publish("", q, "one", M{"priority": 1})
			ch.GetAll(q)
		}},
		{"ignored-by-other-queues", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "low", M{"priority": 1})
			ch.Publish("", q, "high", M{"priority": 9})
			ch.GetAll(q)
		}},
		{"requeued-keeps-its-priority", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5})
			ch.Publish("", q, "a", M{"priority": 1})
			ch.Publish("", q, "b", M{"priority": 1})
			m := ch.Get(q)
			ch.Publish("", q, "c", M{"priority": 2})
			ch.Reject(m, true)
			ch.GetAll(q)
		}},
		{"drop-head-drops-the-lowest", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5, "x-max-length": 2})
			ch.Publish("", q, "high", M{"priority": 5})
			ch.Publish("", q, "low", M{"priority": 1})
			ch.Publish("", q, "middle", M{"priority": 3})
			ch.GetAll(q)
		}},
		{"expires-behind-a-higher-one", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-max-priority": 5})
			ch.Publish("", q, "high", M{"priority": 5})
			ch.Publish("", q, "low", M{"priority": 1, "expiration": "30"})
			s.Settle(q, 1)
			ch.GetAll(q)
		}},
	}}
}

func singleActiveScenarios() group {
	return group{name: "single-active", scenarios: []scenario{
		{"only-the-first-gets", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			one.Consume(q, "1", M{"no-ack": true})
			two.Consume(q, "2", M{"no-ack": true})
			for _, body := range []string{"a", "b", "c"} {
				one.Publish("", q, body)
			}
			one.Deliver(3)
			two.Quiet()
		}},
		{"next-takes-over-on-cancel", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			one.Consume(q, "1", M{"no-ack": true})
			two.Consume(q, "2", M{"no-ack": true})
			one.Call("basic.cancel", M{"consumer-tag": "1"})
			one.Publish("", q, "a")
			two.Deliver(1)
		}},
		{"next-takes-over-on-close", func(s *S) {
			c := s.Dial()
			one, two := c.Channel(), c.Channel()
			q := one.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			one.Consume(q, "1")
			two.Consume(q, "2")
			two.Publish("", q, "a")
			one.Deliver(1)
			one.Call("channel.close", M{"reply-code": 200})
			two.Deliver(1)
		}},
		{"order-of-succession", func(s *S) {
			c := s.Dial()
			ch := c.Channel()
			q := ch.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			for _, tag := range []string{"1", "2", "3"} {
				ch.Consume(q, tag, M{"no-ack": true})
			}
			ch.Call("basic.cancel", M{"consumer-tag": "2"})
			ch.Call("basic.cancel", M{"consumer-tag": "1"})
			ch.Publish("", q, "a")
			ch.Deliver(1)
		}},
		{"prefetch-does-not-pass-on", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			ch.Qos(1)
			ch.Consume(q, "1")
			ch.Consume(q, "2")
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			m := ch.Deliver(1)[0]
			ch.Quiet()
			ch.Ack(m)
			ch.Deliver(1)
		}},
		{"exclusive-consumer", func(s *S) {
			ch := s.Dial().Channel()
			q := ch.Queue(s.N("q"), Table{"x-single-active-consumer": true})
			ch.Consume(q, "1", M{"exclusive": true})
		}},
	}}
}
