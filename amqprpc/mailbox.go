package amqprpc

import (
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// refusalsMost is how many refusals of requests to the mailbox wait to be written. It is more
// than the broker sends ahead, and bounds the memory while the broker takes nothing.
const refusalsMost = 1 << 12

// seenLonger is how long beyond its expiration a request is known. What the broker has delivered
// just before may wait a while until it is read.
const seenLonger = time.Minute

// mail is what a server knows of its mailbox: the queue of its own, to which cancels,
// streams, broadcasts and calls to this instance come.
type mail struct {
	instance atomic.Pointer[string]
	refusals atomic.Int64      // that are not written yet
	seen     idSet             // requests that have come; of the reading goroutine, as is what follows
	strings  protocol.Interner // of their properties
}

// rename gives the instance a new id.
func (m *mail) rename() {
	id := protocol.NewID()
	m.instance.Store(&id)
}

// Instance returns the ID of this server among all that serve the same queues. A call
// [WithInstance] goes to the server with that ID, and [Answer] has it. The ID is random. It
// changes only if the broker loses the server's mailbox. It is "" with [WithoutControl]. It is
// safe for concurrent use.
func (s *Server) Instance() string {
	if s.cfg.conn.withoutControl {
		return ""
	}
	return *s.mail.instance.Load()
}

// Instance returns the ID of the server that handles the request: see [Server.Instance]. On a
// client it is that of [WithInstance], or "".
func (r *Request) Instance() string {
	switch {
	case r.in != nil:
		return r.in.endpoint.server.Instance()
	case r.streaming != nil:
		return r.streaming.instance
	default:
		return ""
	}
}

// ToInstance reports whether the request is sent to one server alone or as a broadcast, and not
// to the queue that all servers share. Such a request is a call of its own on each server.
func (r *Request) ToInstance() bool {
	if r.in != nil {
		return r.in.instance != nil
	}
	return r.streaming != nil && (r.streaming.instance != "" || r.streaming.broadcast != nil)
}

// address is the queue that a client's request goes to: that of the call, or the mailbox of an
// instance.
func (r *Request) address() string {
	if r.streaming == nil || r.streaming.instance == "" {
		return r.queue
	}
	return protocol.InstanceQueue(r.streaming.instance)
}

// WithBroadcast makes a handler take broadcasts: see [All]. A handler without it never gets
// one. Without the permissions for control messages, the server logs that, and gets no
// broadcasts. Register panics if the handler is one of a stream, or the server has
// [WithoutControl].
func WithBroadcast() HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.broadcast = true })
}

// mailbox makes the mailbox.
func (s *Server) mailbox() *messaging.Mailbox {
	if s.cfg.conn.withoutControl {
		return nil
	}
	m := &messaging.Mailbox{
		What: "the instance queue", Mode: messaging.Resumable, Expires: defaultReplyExpires,
		NewName:  func() string { return protocol.InstanceQueue(s.Instance()) },
		Exchange: protocol.ControlExchange,
		Kind:     messaging.KindDirect,
		Forgotten: func(_ string, err error) {
			s.mail.rename()
			s.streams.unreachable(Errorf(CodeUnavailable, "the server's queue was lost: %w", err))
		},
	}
	discover := protocol.BroadcastKey(protocol.DiscoverQueue)
	m.Bind = append(m.Bind, messaging.Binding{Key: discover})
	cancels, broadcasts, queues := make(map[string]*endpoint), make(map[string]*endpoint), make(map[string]*endpoint)
	for _, e := range s.endpoints {
		queues[e.queue] = e
		key := protocol.CancelKey(e.queue)
		cancels[key] = e
		m.Bind = append(m.Bind, messaging.Binding{Key: key})
		if e.cfg.broadcast {
			key = protocol.BroadcastKey(e.queue)
			broadcasts[key] = e
			m.Bind = append(m.Bind, messaging.Binding{Key: key})
		}
	}
	m.Receive = func(msg *messaging.Message) {
		control := msg.Exchange == protocol.ControlExchange
		if msg.Malformed || !control && msg.Exchange != "" {
			s.stats.badControl.Add(1)
			return
		}
		queue := protocol.MeantQueue(&msg.Properties)
		switch e := cancels[msg.Key]; {
		case !control && protocol.IsStream(&msg.Properties):
			s.streams.receive(msg)
		case queue == protocol.DiscoverQueue && (!control || msg.Key == discover):
			s.receiveQuestion(msg)
		case !control && queue != "":
			s.receiveRequest(msg, queues[queue])
		case control && e != nil:
			e.receiveCancel(msg)
		case control && broadcasts[msg.Key] != nil && broadcasts[msg.Key].queue == queue:
			s.receiveRequest(msg, broadcasts[msg.Key])
		default:
			s.stats.badControl.Add(1)
		}
	}
	return m
}

// receiveRequest takes a request that came to the mailbox, on the goroutine that reads the
// connection. e is nil if no handler is registered for its queue.
func (s *Server) receiveRequest(m *messaging.Message, e *endpoint) {
	if e == nil || e.kind.IsStream() {
		s.refuseUnserved(m)
		return
	}
	in := e.inbound(m, &s.mail.strings)
	if !s.firstSeen(&in.message) {
		return
	}
	in.instance = s.mail.instance.Load()
	// The ids of all that came are known: it is the first time, whatever the broker says.
	in.redelivered, in.message.Deliveries, in.message.DeliveryCount = false, 0, -1
	if e.mailed.Add(1) > int64(e.cfg.concurrency) {
		e.mailed.Add(-1)
		s.stats.instanceRefused.Add(1)
		in.refuseMail(Errorf(CodeResourceExhausted, "the instance has %s to handle already that were sent to it alone", messaging.Counted(e.cfg.concurrency, "request")))
		return
	}
	accept := in.message.Heartbeat > 0
	if accept { // before a worker may end it
		in.beats = time.AfterFunc(forever, in.sendHeartbeat)
	}
	e.arrives(in, int(e.load.Add(1)))
	if !e.consumer.Inject(in) {
		if accept {
			in.beats.Stop()
		}
		e.mailed.Add(-1)
		e.load.Add(-1)
		in.refuseMail(Errorf(CodeUnavailable, "the instance does not serve the queue now"))
	} else if accept {
		in.beats.Reset(0)
	}
}

// mayAnswer reports whether a request can expire and its answer may be sent.
func (s *Server) mayAnswer(m *protocol.Request) bool {
	switch {
	case m.Expires < 0 || m.ReplyID() == "":
		s.stats.badControl.Add(1)
		return false
	case m.ReplyTo != "" && !s.replyPolicy.allows(m.ReplyTo):
		s.stats.refusedReplyTo.Add(1)
		s.log.Warn("amqprpc: request to this instance ignored: its reply_to is not allowed; to allow it, give the server WithAllowedReplyTo with this name or a pattern",
			"reply_to", protocol.Loggable(m.ReplyTo), "message_id", m.MessageID)
		return false
	}
	s.stats.instanceRequests.Add(1)
	return true
}

// firstSeen reports whether a request may be taken: it may be answered, and it did not come
// before.
func (s *Server) firstSeen(m *protocol.Request) bool {
	if !s.mayAnswer(m) {
		return false
	}
	id := m.ReplyTo + "\n" + m.ReplyID()
	if s.mail.seen.has(id) {
		s.stats.instanceRepeated.Add(1)
		return false
	}
	s.mail.seen.add(id, time.Now().Add(m.Expires+seenLonger))
	return true
}

// refuseUnserved refuses a request for a queue that has no handler here, or one of another
// kind.
func (s *Server) refuseUnserved(m *messaging.Message) {
	var r protocol.Request
	r.Parse(&m.Properties, &s.mail.strings) // whatever else is wrong with it
	if s.firstSeen(&r) {
		s.stats.instanceRefused.Add(1)
		s.refuseMail(&r, Errorf(CodeUnimplemented, "the instance has no handler of calls for the queue"))
	}
}

// refuseMail answers a request that does not get to its handler.
func (in *inbound) refuseMail(e *Error) {
	in.endpoint.tally.end(e, true)
	in.endpoint.server.refuseMail(&in.message, e)
}

// refuseMail answers a request that no handler gets, unless it is a notification, or too many
// such answers wait to be written.
func (s *Server) refuseMail(m *protocol.Request, e *Error) {
	s.stats.failed.add(e.code)
	if m.ReplyTo == "" {
		return
	}
	written := func() { s.mail.refusals.Add(-1) }
	if s.mail.refusals.Add(1) > refusalsMost {
		written()
		return
	}
	s.replyMail(m, protocol.Reply{
		ContentType: "application/json", IsError: true, Code: string(e.code), Outcome: OutcomeNotExecuted.String(),
	}, envelopeWithin(e, int(s.maxBody.Load())), written)
}

// replyMail answers a request that no handler gets. written is called when the answer was
// written.
func (s *Server) replyMail(m *protocol.Request, r protocol.Reply, body []byte, written func()) {
	r.CorrelationID, r.Instance = m.ReplyID(), s.Instance()
	s.streams.writer.Queue(&mailReply{to: m.ReplyTo, properties: r.Append(nil), body: body, written: written})
}

// mailReply is a reply that goes with the messages of streams, on a channel that is there
// whether the queues are served or not. It implements messaging.StreamItem.
type mailReply struct {
	to               string
	properties, body []byte
	written          func()
	prepared         bool
}

// Prepare implements messaging.StreamItem.
func (r *mailReply) Prepare(p *messaging.Publishing) bool {
	switch {
	case r.prepared:
		return false
	case p.Key != "":
		return true
	}
	r.prepared = true
	p.Key = r.to
	p.Properties = append(p.Properties, r.properties...)
	p.Body = append(p.Body, r.body...)
	return true
}

// Written implements messaging.StreamItem.
func (r *mailReply) Written() { r.written() }

// mailbox is the id of the instance to whose mailbox the request came, else "".
func (in *inbound) mailbox() string {
	if in.instance == nil {
		return ""
	}
	return *in.instance
}
