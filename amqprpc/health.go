package amqprpc

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

var (
	errDrains     = errors.New("the server drains")
	errNotServing = errors.New("Serve has not been called")
	errServed     = errors.New("Serve has returned")
	errNotYet     = errors.New("it is about to be declared and consumed")
)

// health follows what Status, the state callback and the log tell of a client or a
// server. They tell the same, in this order.
type health struct {
	log     *slog.Logger
	onState func(State)
	addr    func() string // of the broker that is connected or tried next; the session's

	mu       sync.Mutex
	conn     ConnectionStatus
	why      error // there is no connection
	draining bool
	queues   []QueueStatus
}

// begin says how things are before the first attempt to connect.
func (h *health) begin(broker string, why error, queues ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.why, h.queues = why, nil
	h.conn = ConnectionStatus{Broker: broker, Since: now, Error: why.Error()}
	for _, name := range queues {
		h.queues = append(h.queues, QueueStatus{Name: name, Since: now, Error: errNotYet.Error()})
	}
}

// up says that a connection is set up, and with it a client's reply queue; a server's
// queues follow.
func (h *health) up(again bool, replyQueue string) {
	h.mu.Lock()
	broker, now := h.addr(), time.Now()
	h.conn = ConnectionStatus{Connected: true, Broker: broker, Since: now, Blocked: h.conn.Blocked, BlockedReason: h.conn.BlockedReason}
	h.why = nil
	for i := range h.queues {
		if replyQueue != "" {
			h.queues[i] = QueueStatus{Name: replyQueue, Served: true, Since: now}
		} else {
			h.queues[i].lose(errNotYet, time.Time{})
		}
	}
	h.mu.Unlock()
	log := h.log
	if replyQueue != "" {
		log = log.With("reply_queue", replyQueue)
	}
	log.Info("amqprpc: connected", "broker", broker, "again", again)
	h.tell(StateConnected)
}

// down says that the connection is lost, if wasUp, or that an attempt to make it has
// failed.
func (h *health) down(err error, wasUp bool, retryIn time.Duration) {
	h.end(err, time.Now().Add(retryIn))
	retryIn = retryIn.Round(time.Millisecond)
	if wasUp {
		h.log.Warn("amqprpc: not connected any more", "error", err, "retry_in", retryIn)
	} else {
		h.log.Warn("amqprpc: not connected", "error", err, "retry_in", retryIn)
	}
	h.tell(StateDisconnected)
}

// end says that there is no connection, and until when there is none: zero if there
// will be none.
func (h *health) end(err error, nextTry time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	since := h.conn.Since
	if h.conn.Connected {
		since = now
	}
	h.why, h.draining = err, false
	h.conn = ConnectionStatus{Broker: h.addr(), Since: since, Error: err.Error(), NextTry: nextTry}
	for i := range h.queues {
		h.queues[i].lose(err, time.Time{})
	}
}

// block says that the broker takes no messages for now, or takes them again
// (https://www.rabbitmq.com/docs/connection-blocked).
func (h *health) block(active bool, reason string) {
	h.mu.Lock()
	h.conn.Blocked, h.conn.BlockedReason = active, reason
	h.mu.Unlock()
	if active {
		h.log.Warn("amqprpc: the broker has blocked the connection", "reason", reason)
		h.tell(StateBlocked)
	} else {
		h.log.Info("amqprpc: the broker has unblocked the connection")
		h.tell(StateUnblocked)
	}
}

// served says that a server's queue is consumed.
func (h *health) served(queue string) {
	h.mu.Lock()
	if h.draining {
		h.mu.Unlock()
		return
	}
	all := true
	for i := range h.queues {
		if q := &h.queues[i]; q.Name == queue {
			*q = QueueStatus{Name: queue, Served: true, Since: time.Now()}
		}
		all = all && h.queues[i].Served
	}
	h.mu.Unlock()
	h.log.Info("amqprpc: queue is served", "queue", queue)
	if all {
		h.tell(StateServing)
	}
}

// unserved says that a server's queue is not consumed any more, if wasServed, or
// cannot be.
func (h *health) unserved(queue string, err error, wasServed bool, retryIn time.Duration) {
	h.mu.Lock()
	for i := range h.queues {
		if h.queues[i].Name == queue {
			h.queues[i].lose(err, time.Now().Add(retryIn))
		}
	}
	h.mu.Unlock()
	retryIn = retryIn.Round(time.Millisecond)
	if wasServed {
		h.log.Warn("amqprpc: queue is not served any more", "queue", queue, "error", err, "retry_in", retryIn)
	} else {
		h.log.Warn("amqprpc: queue is not served", "queue", queue, "error", err, "retry_in", retryIn)
	}
	h.tell(StateNotServing)
}

// lose says that the queue is not served.
func (q *QueueStatus) lose(err error, nextTry time.Time) {
	if q.Served {
		q.Since = time.Now()
	}
	q.Served, q.Error, q.NextTry = false, err.Error(), nextTry
}

// drain says that the server drains.
func (h *health) drain(inFlight int64) {
	h.mu.Lock()
	h.draining = true
	for i := range h.queues {
		h.queues[i].lose(errDrains, time.Time{})
	}
	h.mu.Unlock()
	h.log.Info("amqprpc: server drains", "in_flight", inFlight)
	h.tell(StateDraining)
}

func (h *health) tell(s State) {
	if h.onState == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			cause := newPanicError(p)
			h.log.Error("amqprpc: panic in a state callback", "state", s.String(), "panic", cause.Error(), "stack", string(cause.Stack))
		}
	}()
	h.onState(s)
}

// whyDown is why there is no connection, nil while there is one.
func (h *health) whyDown() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why
}
