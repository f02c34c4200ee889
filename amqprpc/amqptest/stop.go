package amqptest

// Stop stops the broker in good order, as rabbitmqctl stop_app does: it closes its ports,
// closes every connection with 320 CONNECTION_FORCED, and drops transient queues, exchanges
// and messages. Durable queues keep their persistent messages. [Broker.AcceptConnections]
// starts the broker again; [Broker.Close] ends it for good.
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

// Kill stops the broker as kill -9 does: it closes its ports and cuts every connection. The
// same survives as with [Broker.Stop], and [Broker.AcceptConnections] starts the broker again.
func (b *Broker) Kill() {
	b.RefuseConnections()
	b.Restart()
}

// Restart kills the broker and starts it again: every connection is cut, and transient
// queues, exchanges and messages are gone. Durable queues keep their persistent messages.
// Those that a consumer had are redelivered.
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
		q.restartExpiry()
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
