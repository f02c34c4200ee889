package differential

import "fmt"

// nameScenarios are about names that are not UTF-8, hold line ends or are reserved.
func nameScenarios() group {
	names := []struct{ kind, suffix string }{
		{"not-utf-8", "q\xff"}, {"cut-utf-8", "q\xc3"}, {"surrogate", "q\xed\xa0\x80"}, {"latin-1", "\xe4"}, {"overlong", "q\xc0\xaf"},
		{"overlong-three", "q\xe0\x80\xaf"}, {"beyond-unicode", "q\xf4\x90\x80\x80"}, {"five-octets", "q\xf8\x88\x80\x80\x80"},
		{"newline", "q\nr"}, {"return", "q\r\nr"}, {"nul", "q\x00r"}, {"tab", "q\tr"}, {"space", "q r"}, {"unicode", "q→ü"},
	}
	uses := []struct {
		name string
		run  func(s *S, ch *Chan, name string)
	}{
		{"declared", func(_ *S, ch *Chan, name string) {
			ch.Call("queue.declare", M{"queue": name})
			ch.Call("queue.declare", M{"queue": name, "passive": true})
			ch.Call("queue.declare", M{"queue": name, "durable": true})
		}},
		{"looked-for", func(_ *S, ch *Chan, name string) { ch.Call("queue.declare", M{"queue": name, "passive": true}) }},
		{"used", func(s *S, ch *Chan, name string) {
			ch.Call("queue.declare", M{"queue": name})
			c := ch.c
			con := c.Channel()
			con.Consume(name, "c")
			con.Call("basic.cancel", M{"consumer-tag": "c"})
			c.Channel().Get(name)
			c.Channel().Call("queue.purge", M{"queue": name})
			c.Channel().Bind(name, "amq.direct", "k")
			c.Channel().Call("queue.unbind", M{"queue": name, "exchange": "amq.direct", "routing-key": "k"})
			c.Channel().Call("queue.delete", M{"queue": name})
			ch.Count(name)
		}},
		{"missing", func(s *S, ch *Chan, name string) {
			c := ch.c
			c.Channel().Consume(name, "c")
			c.Channel().Get(name)
			c.Channel().Call("queue.purge", M{"queue": name})
			c.Channel().Bind(name, "amq.direct", "k")
			c.Channel().Call("queue.unbind", M{"queue": name, "exchange": "amq.direct", "routing-key": "k"})
			c.Channel().Call("queue.delete", M{"queue": name})
		}},
		{"published-to", func(_ *S, ch *Chan, name string) {
			ch.PublishWith(M{"routing-key": name, "mandatory": true}, "x")
			ch.Quiet()
			ch.Publish(name, "k", "x")
			ch.Quiet()
		}},
		{"exchange", func(_ *S, ch *Chan, name string) {
			ch.Call("exchange.declare", M{"exchange": name, "type": "direct"})
			ch.Call("exchange.declare", M{"exchange": name, "type": "direct", "passive": true})
			ch.Call("exchange.declare", M{"exchange": name, "type": "fanout"})
		}},
		{"exchange-missing", func(_ *S, ch *Chan, name string) {
			c := ch.c
			c.Channel().Call("exchange.declare", M{"exchange": name, "type": "direct", "passive": true})
			c.Channel().Call("exchange.delete", M{"exchange": name})
			c.Channel().Bind("amq.nothing", name, "k")
			c.Channel().Call("exchange.bind", M{"destination": name, "source": "amq.direct"})
		}},
		{"exchange-type", func(s *S, ch *Chan, name string) {
			ch.Call("exchange.declare", M{"exchange": s.N("x"), "type": name})
		}},
		{"consumer-tag", func(s *S, ch *Chan, name string) {
			q := ch.Queue(s.N("q"))
			ch.Consume(q, name)
			ch.Consume(q, name)
		}},
		{"cancelled", func(_ *S, ch *Chan, name string) { ch.Call("basic.cancel", M{"consumer-tag": name}) }},
		{"key-bound", func(s *S, ch *Chan, name string) {
			q := ch.Queue(s.N("q"))
			ch.Bind(q, "amq.topic", name)
			ch.Publish("amq.topic", name, "x")
			ch.GetAll(q)
		}},
		{"in-properties", func(s *S, ch *Chan, name string) {
			q := ch.Queue(s.N("q"))
			ch.Publish("", q, "x", M{"correlation-id": name, "reply-to": name, "type": name, "headers": Table{name: name}})
			ch.GetAll(q)
			ch.Publish("", q, "x", M{"expiration": name})
			ch.Closed()
			ch = ch.c.Channel()
			ch.Publish("", q, "x", M{"expiration": "10" + name[len(name)-3:]}) // a longer one is printed on several lines
			ch.Closed()
		}},
		{"as-user-id", func(s *S, ch *Chan, name string) {
			ch.Publish("", s.N("q"), "x", M{"user-id": name})
			ch.Quiet()
		}},
		{"in-arguments", func(s *S, ch *Chan, name string) {
			c := ch.c
			c.Channel().Queue(s.N("q"), Table{"x-dead-letter-exchange": name})
			c.Channel().Queue(s.N("q"), Table{"x-dead-letter-exchange": name + "2"})
			c.Channel().Queue(s.N("r"), Table{"x-overflow": name})
			c.Channel().Queue(s.N("r"), Table{"x-queue-type": name})
			c.Channel().Queue(s.N("r"), Table{name: "v"})
		}},
	}
	var scenarios []scenario
	for _, n := range names {
		for _, u := range uses {
			scenarios = append(scenarios, scenario{n.kind + "-" + u.name, func(s *S) {
				u.run(s, s.Dial().Channel(), s.N(n.suffix))
			}})
		}
		scenarios = append(scenarios, scenario{n.kind + "-vhost", func(s *S) {
			handshake{vhost: n.suffix}.run(s.Connect())
		}}, scenario{n.kind + "-user", func(s *S) {
			handshake{mechanism: "PLAIN", response: "\x00" + n.suffix + "\x00x"}.run(s.Connect())
		}}, scenario{n.kind + "-mechanism", func(s *S) {
			handshake{mechanism: n.suffix, response: "x"}.run(s.Connect())
		}})
	}
	for i, name := range []string{"amq.", "amq.x", "amq.gen-x", "amq.rabbitmq", "amq.rabbitmq.x", "amq", "AMQ.x", "amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.x", "amq.rabbitmq.reply-tox"} {
		scenarios = append(scenarios, scenario{fmt.Sprintf("reserved-%02d", i+1), func(s *S) {
			s.Note("name %q", name)
			c := s.Dial()
			try := func(method string, args M) {
				if !c.closed {
					c.Channel().Call(method, with(M{"queue": name}, args))
					return
				}
				c = s.Dial()
				c.Channel().Call(method, with(M{"queue": name}, args))
			}
			try("queue.declare", nil)
			try("queue.declare", M{"passive": true})
			try("queue.purge", nil)
			try("basic.get", nil)
			try("basic.consume", M{"consumer-tag": "c"})
			try("basic.consume", M{"consumer-tag": "c", "no-ack": true})
			try("queue.bind", M{"exchange": "amq.direct", "routing-key": "k"})
			try("queue.unbind", M{"exchange": "amq.direct", "routing-key": "k"})
			try("queue.delete", nil)
		}})
	}
	return group{name: "names", scenarios: scenarios}
}
