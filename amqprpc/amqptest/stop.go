package amqptest

// Stop stops the broker in good order, as rabbitmqctl stop_app does: it closes its ports,
// tells every client 320 CONNECTION_FORCED, and forgets what is transient. Durable queues
// keep their persistent messages for [Broker.AcceptConnections], which starts it again;
// [Broker.Close] ends it for good.
func (b *Broker) Stop() {
	b.RefuseConnections()
	b.lock()
	defer b.release()
	for c := range b.conns {
		c.raise(0, shutdown())
		if !c.is(closed) {
			c.shutdown()
		}
	}
	b.restart()
}

// Kill stops the broker as kill -9 does: it closes its ports and cuts every connection.
// What survives, and how it starts again, is as with [Broker.Stop].
func (b *Broker) Kill() {
	b.RefuseConnections()
	b.Restart()
}

// Restart does what happens when a node is killed and started again: every
// connection is cut, transient queues, exchanges and messages are gone, and
// durable queues keep their persistent messages, those redelivered that a
// consumer had.
func (b *Broker) Restart() {
	b.CutConnections()
	b.lock()
	defer b.release()
	for c := range b.conns {
		if !c.is(closed) {
			c.shutdown()
		}
		c.drop()
	}
	b.restart()
}

// restart forgets what is transient.
func (b *Broker) restart() {
	for _, v := range b.vhosts {
		v.restart()
	}
	b.creation++ // direct reply-to addresses of the past are nobody's
}

func (v *vhost) restart() {
	for _, q := range v.queues {
		if !q.durable {
			q.delete()
			continue
		}
		q.forgetTransient()
		q.used()
	}
	for _, x := range v.exchanges {
		if !x.durable {
			x.delete()
		}
	}
}

// shutdown is what clients of a broker that stops are told.
func shutdown() *exception {
	return fail(connectionForced, "broker forced connection closure with reason 'shutdown'")
}
