package differential

import "time"

func ttlScenarios() group {
	return group{name: "ttl", scenarios: []scenario{
		{"message-expires", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "a", M{"expiration": "50"})
			ch.Confirms(1)
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
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 50})
			ch.Publish("", q, "a")
			ch.Publish("", q, "b")
			ch.Confirms(2)
			s.Settle(q, 0)
		}},
		{"shorter-of-both-message", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 60000})
			ch.Publish("", q, "a", M{"expiration": "50"})
			ch.Confirms(1)
			s.Settle(q, 0)
		}},
		{"shorter-of-both-queue", func(s *S) {
			ch := s.Dial().Channel()
			ch.Confirm()
			q := ch.Queue(s.N("q"), Table{"x-message-ttl": 50})
			ch.Publish("", q, "a", M{"expiration": "60000"})
			ch.Confirms(1)
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
			ch.Confirm()
			q := ch.Queue(s.N("q"))
			for _, ttl := range []string{"10", "20", "30"} {
				ch.Publish("", q, ttl, M{"expiration": ttl})
			}
			ch.Publish("", q, "stays")
			ch.Confirms(4)
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
