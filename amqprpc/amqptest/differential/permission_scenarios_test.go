package differential

import (
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// restricted is a user who may do different things to names with different ends.
type restricted struct{ name, password, configure, write, read string }

func restrictedUsers() []restricted {
	return []restricted{
		{"limited", "secret", `\.(mine|configure)$`, `\.(mine|write)$|^amq\.default$`, `\.(mine|read)$`},
		{"mute", "secret", "", "", ""},
	}
}

func addUsers(ctx context.Context, n *rabbitmq.Node) error {
	for _, u := range restrictedUsers() {
		if _, err := n.Ctl(ctx, "add_user", u.name, u.password); err != nil {
			return err
		}
		if _, err := n.Ctl(ctx, "set_permissions", "-p", "/", u.name, u.configure, u.write, u.read); err != nil {
			return err
		}
	}
	return nil
}

func deleteUsers(ctx context.Context, n *rabbitmq.Node) error {
	for _, u := range restrictedUsers() {
		if _, err := n.Ctl(ctx, "delete_user", u.name); err != nil {
			return err
		}
	}
	return nil
}

func userOptions() []amqptest.Option {
	var opts []amqptest.Option
	for _, u := range restrictedUsers() {
		opts = append(opts, amqptest.WithUser(u.name, u.password), amqptest.WithPermissions(u.name, u.configure, u.write, u.read))
	}
	return append(opts, amqptest.WithUser("guest", "guest"))
}

func permissionScenarios() group {
	// as has a user try something; guest has declared, before, a queue and a fanout
	// exchange for each end of a name.
	as := func(user string, try func(s *S, ch *Chan)) func(*S) {
		return func(s *S) {
			c := s.Dial()
			c.silent = true
			guest := c.Channel()
			for _, end := range []string{"mine", "configure", "write", "read", "none"} {
				guest.Queue(s.N("q." + end))
				guest.Exchange(s.N("x."+end), "fanout")
			}
			try(s, s.DialAs(handshake{mechanism: "PLAIN", response: "\x00" + user + "\x00secret"}).Channel())
		}
	}
	// each tries something on a fresh channel for each end of a name.
	each := func(try func(s *S, ch *Chan, end string), ends ...string) func(*S) {
		return as("limited", func(s *S, ch *Chan) {
			for _, end := range ends {
				try(s, ch.c.Channel(), end)
			}
		})
	}
	all := []string{"mine", "configure", "write", "read", "none"}
	call := func(method string, fields func(s *S, end string) M) func(*S) {
		return each(func(s *S, ch *Chan, end string) { ch.Call(method, fields(s, end)) }, all...)
	}
	queue := func(s *S, end string) M { return M{"queue": s.N("q." + end)} }
	return group{name: "permission", setUp: addUsers, tearDown: deleteUsers, options: userOptions(), scenarios: []scenario{
		{"declare-queue", call("queue.declare", func(s *S, end string) M { return M{"queue": s.N("new." + end)} })},
		{"declare-queue-again", call("queue.declare", queue)},
		{"declare-queue-passively", call("queue.declare", func(s *S, end string) M { return with(queue(s, end), M{"passive": true}) })},
		{"declare-missing-queue-passively", call("queue.declare", func(s *S, end string) M {
			return M{"queue": s.N("missing." + end), "passive": true}
		})},
		{"declare-server-named-queue", as("limited", func(_ *S, ch *Chan) { ch.Queue("") })},
		{"delete-queue", call("queue.delete", queue)},
		{"purge-queue", call("queue.purge", queue)},
		{"get", call("basic.get", queue)},
		{"consume", call("basic.consume", queue)},
		{"declare-exchange", call("exchange.declare", func(s *S, end string) M { return M{"exchange": s.N("new." + end), "type": "direct"} })},
		{"declare-exchange-passively", call("exchange.declare", func(s *S, end string) M {
			return M{"exchange": s.N("x." + end), "type": "fanout", "passive": true}
		})},
		{"delete-exchange", call("exchange.delete", func(s *S, end string) M { return M{"exchange": s.N("x." + end)} })},
		{"bind-queue-to-readable", call("queue.bind", func(s *S, end string) M { return with(queue(s, end), M{"exchange": s.N("x.read")}) })},
		{"bind-writable-queue", call("queue.bind", func(s *S, end string) M {
			return M{"queue": s.N("q.write"), "exchange": s.N("x." + end)}
		})},
		{"unbind-queue", call("queue.unbind", func(s *S, end string) M { return with(queue(s, end), M{"exchange": s.N("x.read")}) })},
		{"bind-exchange-to-readable", call("exchange.bind", func(s *S, end string) M {
			return M{"destination": s.N("x." + end), "source": s.N("x.read")}
		})},
		{"bind-writable-exchange", call("exchange.bind", func(s *S, end string) M {
			return M{"destination": s.N("x.write"), "source": s.N("x." + end)}
		})},
		{"publish", each(func(s *S, ch *Chan, end string) {
			ch.Confirm()
			ch.Publish(s.N("x."+end), "k", "x")
			ch.Confirms(1)
		}, all...)},
		{"publish-to-the-default-exchange", each(func(s *S, ch *Chan, end string) {
			ch.Confirm()
			ch.Publish("", s.N("q."+end), "x")
			ch.Confirms(1)
		}, "none")},
		{"publish-to-the-default-exchange-refused", as("mute", func(s *S, ch *Chan) {
			ch.Publish("", s.N("q.none"), "x")
			ch.Closed()
		})},
		{"publish-to-a-missing-exchange", each(func(s *S, ch *Chan, end string) {
			ch.Publish(s.N("missing."+end), "k", "x")
			ch.Closed()
		}, "write", "none")},
		{"dead-letter-exchange", each(func(s *S, ch *Chan, end string) {
			ch.Queue(s.N(end+".dl.mine"), Table{"x-dead-letter-exchange": s.N("x." + end)})
		}, all...)},
		{"dead-letter-exchange-of-an-unreadable-queue", as("limited", func(s *S, ch *Chan) {
			ch.Queue(s.N("dl.configure"), Table{"x-dead-letter-exchange": s.N("x.write")})
		})},
		{"alternate-exchange", each(func(s *S, ch *Chan, end string) {
			ch.Exchange(s.N(end+".ae.mine"), "direct", Table{"alternate-exchange": s.N("x." + end)})
		}, all...)},
		{"direct-reply-to", as("mute", func(_ *S, ch *Chan) { ch.Consume(pseudoQueue, "c", M{"no-ack": true}) })},
		{"mute-may-open-channels", as("mute", func(s *S, ch *Chan) {
			ch.Qos(1)
			ch.Count(s.N("q.none"))
		})},
	}}
}
