package amqprpc

import "sync/atomic"

// ClientStats is a snapshot of a client's counters. Pending rises and falls. All other
// counters only grow.
type ClientStats struct {
	Pending         int64          // calls and notifications in flight now
	Failed          map[Code]int64 // calls and notifications that ended with an error, by the code of the error; nil if there are none
	Reconnects      int64          // connections after the first
	LateReplies     int64          // replies that came after their call had ended; a reply that comes again after a reconnection is not counted
	RepeatedReplies int64          // second replies to the same attempt
	UnknownReplies  int64          // messages in the reply queue that are not replies to calls of this client
	Returned        int64          // requests to queues that do not exist
	Nacked          int64          // requests that the broker refused (basic.nack)
	Cancelled       int64          // attempts for which the client has sent a cancel
	Resent          int64          // idempotent requests that the client has sent again
}

type clientCounters struct {
	failed                                                                   codeCounters
	reconnects, late, repeated, unknown, returned, nacked, cancelled, resent atomic.Int64
}

// Stats returns the client's counters. It is safe for concurrent use.
func (c *Client) Stats() ClientStats {
	return ClientStats{
		Pending:         c.pending.count.Load(),
		Failed:          c.stats.failed.snapshot(),
		Reconnects:      c.stats.reconnects.Load(),
		LateReplies:     c.stats.late.Load(),
		RepeatedReplies: c.stats.repeated.Load(),
		UnknownReplies:  c.stats.unknown.Load(),
		Returned:        c.stats.returned.Load(),
		Nacked:          c.stats.nacked.Load(),
		Cancelled:       c.stats.cancelled.Load(),
		Resent:          c.stats.resent.Load(),
	}
}

// ServerStats is a snapshot of a server's counters, over all its queues. Pending and
// InFlight rise and fall. All other counters only grow.
type ServerStats struct {
	Pending         int64          // requests that wait for a handler, or have a handler that runs
	InFlight        int64          // handlers that run now
	Handled         int64          // requests that were answered, or needed no answer
	Failed          map[Code]int64 // requests that ended with an error, by the code of the error; nil if there are none
	Redelivered     int64          // requests that may have been delivered before
	RefusedReplyTo  int64          // requests that were rejected because their reply_to is not allowed
	ReturnedReplies int64          // replies whose queue did not exist any more
	Poisoned        int64          // requests that were refused because they had been delivered too often
	Shed            int64          // requests that were refused because handlers were busy and too little time was left
	Cancelled       int64          // requests whose caller gave up: the ctx of the handler ended, or the request was dropped
	BadControl      int64          // control messages that could not be read
	Panics          int64          // panics in handlers and middleware
	LateResults     int64          // results that came after their request had been answered or handed back
	Reconnects      int64          // connections after the first
}

type serverCounters struct {
	failed                                                                                                                                  codeCounters
	inFlight, handled, redelivered, refusedReplyTo, returnedReplies, poisoned, shed, cancelled, badControl, panics, lateResults, reconnects atomic.Int64
}

// Stats returns the server's counters. It is safe for concurrent use.
func (s *Server) Stats() ServerStats {
	pending := int64(0)
	s.mu.Lock()
	for _, e := range s.endpoints {
		pending += e.load.Load()
	}
	s.mu.Unlock()
	return ServerStats{
		Pending:         pending,
		Failed:          s.stats.failed.snapshot(),
		InFlight:        s.stats.inFlight.Load(),
		Handled:         s.stats.handled.Load(),
		Redelivered:     s.stats.redelivered.Load(),
		RefusedReplyTo:  s.stats.refusedReplyTo.Load(),
		ReturnedReplies: s.stats.returnedReplies.Load(),
		Poisoned:        s.stats.poisoned.Load(),
		Shed:            s.stats.shed.Load(),
		Cancelled:       s.stats.cancelled.Load(),
		BadControl:      s.stats.badControl.Load(),
		Panics:          s.stats.panics.Load(),
		LateResults:     s.stats.lateResults.Load(),
		Reconnects:      s.stats.reconnects.Load(),
	}
}
