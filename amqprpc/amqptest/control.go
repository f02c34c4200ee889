package amqptest

// CutConnections resets every connection, as when a broker's host dies or a
// firewall forgets: clients see a TCP reset, or the end of their pipe, and no
// connection.close. It returns how many there were. Clients may connect again
// at once.
func (b *Broker) CutConnections() int {
	b.mu.Lock()
	links := make([]*link, 0, len(b.conns))
	for c := range b.conns {
		links = append(links, c.link)
	}
	b.mu.Unlock()
	for _, l := range links {
		l.reset()
	}
	return len(links)
}

// BlockPublishers does what a memory or disk alarm does: every connection that
// publishes from now on is told connection.blocked with the reason, once, and
// nothing more is read from it. Connections that only consume go on.
func (b *Broker) BlockPublishers(reason string) {
	b.lock()
	defer b.release()
	if reason == "" {
		reason = "low on memory"
	}
	b.blocking = reason
}

// UnblockPublishers ends BlockPublishers: connections that were told so are told
// connection.unblocked, and what they sent meanwhile is read.
func (b *Broker) UnblockPublishers() {
	b.lock()
	defer b.release()
	b.blocking = ""
	b.unblocked()
}
