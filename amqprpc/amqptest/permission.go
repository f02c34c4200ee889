package amqptest

import (
	"regexp"
)

// permissions are what a user may do to queues and exchanges whose names match
// (https://www.rabbitmq.com/docs/access-control). A nil one is allowed all.
type permissions struct {
	configure, write, read *regexp.Regexp
}

// WithPermissions restricts a user, in every virtual host, to the queues and exchanges whose
// names match. Configure is the right to declare and delete; write to publish, and to bind a
// queue; read to consume, and to bind to an exchange. An empty expression matches no name.
// The name of the default exchange is amq.default. WithPermissions panics if an expression
// does not compile.
func WithPermissions(user, configure, write, read string) Option {
	p, err := newPermissions(configure, write, read)
	if err != nil {
		panic(err)
	}
	return func(c *config) {
		if c.permissions == nil {
			c.permissions = make(map[string]*permissions)
		}
		c.permissions[user] = p
	}
}

// right is one of the three.
type right uint8

const (
	toConfigure right = iota
	toWrite
	toRead
)

// may refuses what the connection's user may not do to a queue or an exchange,
// of which full is the name in exceptions.
func (ch *channel) may(r right, name, full string) *exception {
	p := ch.c.permissions
	if p == nil {
		return nil
	}
	expr := [...]*regexp.Regexp{p.configure, p.write, p.read}[r]
	if expr.MatchString(name) {
		return nil
	}
	which := ""
	if ch.c.b.since(RabbitMQ40) {
		which = [...]string{"configure ", "write ", "read "}[r]
	}
	return fail(accessRefused, "%saccess to %s refused for user '%s'", which, full, ch.c.user)
}

func (ch *channel) mayQueue(r right, name string) *exception {
	if ch.c.permissions == nil {
		return nil // the everyday case makes no name
	}
	return ch.may(r, name, ch.c.vhost.queueName(name))
}

func (ch *channel) mayExchange(r right, name string) *exception {
	if ch.c.permissions == nil {
		return nil
	}
	if name == "" {
		name = "amq.default"
	}
	return ch.may(r, name, ch.c.vhost.exchangeName(name))
}

// mayLook refuses a passive declaration of what the user has no right to at all;
// before 4.3 looking needs none.
func (ch *channel) mayLook(name string, full func(string) string) *exception {
	p := ch.c.permissions
	if p == nil || !ch.c.b.since(RabbitMQ43) || p.write.MatchString(name) || p.read.MatchString(name) {
		return nil
	}
	return ch.may(toConfigure, name, full(name))
}

// firstOf is the first exception that there is.
func firstOf(all ...*exception) *exception {
	for _, ex := range all {
		if ex != nil {
			return ex
		}
	}
	return nil
}
