package amqprpc

import "sync/atomic"

// ClientStats is a snapshot of a client's counters; all but Pending only grow.
type ClientStats struct {
	Pending         int64 // calls and notifications in flight now
	Reconnects      int64 // connections after the first
	LateReplies     int64 // replies that came after their call had ended
	RepeatedReplies int64 // further replies to an attempt that had been answered
	UnknownReplies  int64 // messages in the reply queue that answer no call of this client
	Returned        int64 // requests that the broker could route to no queue
	Nacked          int64 // requests that the broker refused (basic.nack)
	Cancelled       int64 // attempts whose servers were told that their caller has given up
	Resent          int64 // further attempts at idempotent calls, made by the client itself
}

type clientCounters struct {
	reconnects, late, repeated, unknown, returned, nacked, cancelled, resent atomic.Int64
}

// Stats returns the client's counters. It is safe for concurrent use.
func (c *Client) Stats() ClientStats {
	return ClientStats{
		Pending:         c.pending.count.Load(),
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

// ServerStats is a snapshot of a server's counters, over all its queues; all but
// InFlight only grow.
type ServerStats struct {
	InFlight        int64 // handlers running now
	Handled         int64 // requests that were answered, or needed no answer
	Redelivered     int64 // requests received that may have been delivered before
	RefusedReplyTo  int64 // requests rejected for a reply_to that is not allowed
	ReturnedReplies int64 // replies that found their queue gone
	Poisoned        int64 // requests refused for having been delivered too often
	Shed            int64 // requests refused because all handlers were busy and too little of their time was left
	Cancelled       int64 // requests whose caller gave up: their handlers were told, or they were dropped before
	BadControl      int64 // control messages that could not be read
	Panics          int64 // panics in handlers and middleware
	LateResults     int64 // results that came after their request had been answered or handed back
	Reconnects      int64 // connections after the first
}

type serverCounters struct {
	inFlight, handled, redelivered, refusedReplyTo, returnedReplies, poisoned, shed, cancelled, badControl, panics, lateResults, reconnects atomic.Int64
}

// Stats returns the server's counters. It is safe for concurrent use.
func (s *Server) Stats() ServerStats {
	return ServerStats{
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
