package amqprpc

import (
	"fmt"
	"slices"
	"time"
)

// ConnectionStatus says how a connection to the broker is. It encodes as JSON.
type ConnectionStatus struct {
	Connected     bool      `json:"connected"`
	Broker        string    `json:"broker"`                   // host and port: connected to, or tried next
	Since         time.Time `json:"since"`                    // when it was connected, or was not any more
	Error         string    `json:"error,omitempty"`          // why it is not connected
	NextTry       time.Time `json:"next_try,omitzero"`        // zero if it is connected, or a try is under way
	Blocked       bool      `json:"blocked"`                  // the broker takes no messages, for lack of memory or disk
	BlockedReason string    `json:"blocked_reason,omitempty"` // in the broker's words
}

// QueueStatus says whether a queue is served, that is consumed by this client or
// server. It encodes as JSON.
type QueueStatus struct {
	Name    string    `json:"name"`
	Served  bool      `json:"served"`
	Since   time.Time `json:"since"`             // when it was served, or was not any more
	Error   string    `json:"error,omitempty"`   // why it is not served
	NextTry time.Time `json:"next_try,omitzero"` // zero if it is served, a try is under way, or the connection must come first
}

// ClientStatus is what [Client.Status] returns. It encodes as JSON.
type ClientStatus struct {
	Connection ConnectionStatus `json:"connection"`
	ReplyQueue QueueStatus      `json:"reply_queue"` // unnamed until the first connection
}

// Err returns nil if the client can make calls now, and otherwise why it cannot.
func (s ClientStatus) Err() error {
	if err := s.Connection.err(); err != nil {
		return err
	}
	return s.ReplyQueue.err()
}

// ServerStatus is what [Server.Status] returns. It encodes as JSON.
type ServerStatus struct {
	Connection ConnectionStatus `json:"connection"`
	Draining   bool             `json:"draining"` // the server takes no more requests, and answers those that it has
	Queues     []QueueStatus    `json:"queues"`   // in the order of their registration
}

// Err returns nil if the server takes and answers requests on all its queues now, and
// otherwise why it does not: what a readiness probe asks.
func (s ServerStatus) Err() error {
	if s.Draining {
		return errDrains
	}
	if err := s.Connection.err(); err != nil {
		return err
	}
	for _, q := range s.Queues {
		if err := q.err(); err != nil {
			return err
		}
	}
	return nil
}

func (s ConnectionStatus) err() error {
	switch {
	case !s.Connected:
		return fmt.Errorf("not connected: %s", s.Error)
	case s.Blocked:
		return fmt.Errorf("the broker takes no messages now: %s", s.BlockedReason)
	default:
		return nil
	}
}

func (s QueueStatus) err() error {
	if s.Served {
		return nil
	}
	return fmt.Errorf("queue %s is not served: %s", s.Name, s.Error)
}

// Status returns how the client is now. It is safe for concurrent use, and waits for
// nothing.
func (c *Client) Status() ClientStatus {
	h := &c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	return ClientStatus{Connection: h.conn, ReplyQueue: h.queues[0]}
}

// Status returns how the server is now: what a readiness probe needs. It is safe for
// concurrent use, and waits for nothing.
func (s *Server) Status() ServerStatus {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	return ServerStatus{Connection: h.conn, Draining: h.draining, Queues: slices.Clone(h.queues)}
}
