package amqprpc

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// DiscoverQueue is the name that a question to servers about themselves goes to: to all with
// [All], or to one with [WithInstance]. The request is a describe.Query as JSON, and so are the
// answers. Package discovery asks such questions. No handler can be registered for the name,
// and there is no such queue.
const DiscoverQueue = protocol.DiscoverQueue

const (
	questionsMost = 16      // questions that a server answers at once
	questionMost  = 4 << 10 // bytes of a question
)

// questions are the questions about itself that a server answers.
type questions struct {
	tasks  sync.WaitGroup
	open   chan struct{} // holds something for each whose answer is not written
	depths depths
}

// receiveQuestion takes a question, on the goroutine that reads the connection. The answer is
// made on another one.
func (s *Server) receiveQuestion(m *messaging.Message) {
	var r protocol.Request
	_ = r.Parse(&m.Properties, &s.mail.strings) // whatever else is wrong with it
	if !s.mayAnswer(&r) || r.ReplyTo == "" {
		return
	}
	select {
	case s.questions.open <- struct{}{}:
	default:
		s.refuseMail(&r, Errorf(CodeResourceExhausted, "the instance answers %s about itself already", messaging.Counted(questionsMost, "question")))
		return
	}
	body := m.Body // m itself is used again for the next message
	s.questions.tasks.Go(func() {
		written := sync.OnceFunc(func() { <-s.questions.open })
		queued := false
		defer func() {
			if !queued {
				written()
			}
		}()
		if answer := s.answerQuestion(&r, body); answer != nil {
			queued = true // a caller who does not read, or a broker that does not, must not fill the memory
			s.replyMail(&r, protocol.Reply{ContentType: "application/json"}, answer, written)
		}
	})
}

// answerQuestion returns the answer to a question, nil if there is none or an error was sent.
func (s *Server) answerQuestion(r *protocol.Request, body []byte) []byte {
	q, err := readQuestion(r.ContentEncoding, body)
	if err != nil {
		s.refuseMail(r, err)
		return nil
	}
	if q.Service != "" && q.Service != s.name() || q.Queue != "" && !s.serves(q.Queue) {
		return nil
	}
	var document any
	switch q.Type {
	case describe.TypePing:
		document = s.ping()
	case describe.TypeInfo:
		document = s.info()
	default:
		if r.Heartbeat > 0 { // the broker may take its time to say how long the queues are
			s.replyMail(r, protocol.Reply{Heartbeat: r.Heartbeat}, nil, func() {})
		}
		document = s.report()
	}
	answer, jerr := json.Marshal(document)
	if jerr != nil {
		s.refuseMail(r, NewError(CodeInternal, jerr))
		return nil
	}
	if limit := min(int(s.maxBody.Load()), s.cfg.conn.maxMessageSize); len(answer) > limit {
		s.refuseMail(r, Errorf(CodeResourceExhausted, "the answer has %d bytes; the limit is %d", len(answer), limit))
		return nil
	}
	return answer
}

// readQuestion reads a question. Members that are not known are of later versions.
func readQuestion(encoding string, body []byte) (q describe.Query, _ *Error) {
	refuse := func(format string, args ...any) (describe.Query, *Error) {
		return q, Errorf(CodeInvalidArgument, "the question cannot be read: "+format, args...)
	}
	if len(body) > questionMost {
		return refuse("it has %d bytes; the limit is %d", len(body), questionMost)
	}
	if !protocol.IsPlain(encoding) {
		return refuse("it has a content encoding")
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return refuse("it is not a JSON object with a type: %w", err)
	}
	switch q.Type {
	case describe.TypePing, describe.TypeInfo, describe.TypeStats:
		return q, nil
	default:
		return refuse("the type %.80q is not known here; %s, %s and %s are", q.Type, describe.TypePing, describe.TypeInfo, describe.TypeStats)
	}
}

// serves reports whether the server has a handler for a queue.
func (s *Server) serves(queue string) bool {
	return slices.ContainsFunc(s.sorted(), func(e *endpoint) bool { return e.queue == queue })
}
