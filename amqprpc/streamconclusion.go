package amqprpc

// Without middleware, nothing waits for the end of a client's stream. The chain returns when
// the stream was accepted, and what is left of it runs when the stream has ended.

// whenEnded has f called once the stream has ended.
func (cs *clientStream) whenEnded(f func()) {
	cs.mu.Lock()
	cs.atEnd = f
	s := cs.stream
	cs.mu.Unlock()
	if done(cs.consumed) || done(cs.stopped) || s.isOver() {
		cs.runAtEnd()
	}
}

// runAtEnd is called after each event that ends the stream, unless it must not wait.
func (cs *clientStream) runAtEnd() {
	if f := cs.takeAtEnd(); f != nil {
		f()
	}
}

// startAtEnd is runAtEnd for whoever must not wait.
func (cs *clientStream) startAtEnd() {
	if f := cs.takeAtEnd(); f != nil {
		go f()
	}
}

func (cs *clientStream) takeAtEnd() func() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	f := cs.atEnd
	cs.atEnd = nil
	return f
}

// conclude does what a chain does after its stream has ended.
func (cs *clientStream) conclude() {
	c := cs.client
	await := cs.await
	cs.await = nil
	defer cs.end()
	defer c.forget(cs.out)
	cs.resp, cs.err = cs.outcome(await)
	c.note(cs.out, cs.header, cs.resp, cs.err)
}

func (cs *clientStream) outcome(await func() (*Response, *Error)) (_ *Response, err error) {
	defer cs.client.rescue(&cs.out.call.req, &err)
	resp, failure := await()
	if failure != nil {
		failure.call = cs.out.call.req.ref()
		return nil, failure
	}
	return resp, nil
}
