package amqptest

// vhost is one virtual host: a name space of exchanges and queues.
type vhost struct {
	b         *Broker
	name      string
	exchanges map[string]*exchange
	queues    map[string]*queue
}

func newVHost(b *Broker, name string) *vhost {
	v := &vhost{b: b, name: name, queues: make(map[string]*queue)}
	predeclared := []struct {
		name, kind string
		internal   bool
	}{
		{"", "direct", false},
		{"amq.direct", "direct", false},
		{"amq.fanout", "fanout", false},
		{"amq.topic", "topic", false},
		{"amq.headers", "headers", false},
		{"amq.match", "headers", false},
		{"amq.rabbitmq.trace", "topic", true},
	}
	v.exchanges = make(map[string]*exchange, len(predeclared))
	for _, p := range predeclared {
		x := newExchange(v, p.name, p.kind)
		x.durable, x.internal = true, p.internal
		v.exchanges[p.name] = x
	}
	return v
}

// queueName is how exceptions speak of a queue, whether there is one or not.
func (v *vhost) queueName(name string) string {
	return "queue '" + name + "' in vhost '" + v.name + "'"
}

func (v *vhost) exchangeName(name string) string {
	return "exchange '" + name + "' in vhost '" + v.name + "'"
}

func (v *vhost) stopTimers() {
	for _, q := range v.queues {
		q.stopTimers()
	}
}
