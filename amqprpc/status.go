package amqprpc

import (
	"fmt"
	"slices"
	"time"
)

// ConnectionStatus is the state of the connection to the broker. It can be encoded as JSON.
type ConnectionStatus struct {
	Connected     bool      `json:"connected"`
	Broker        string    `json:"broker"`                   // host and port of the broker that is connected, or is tried next
	Since         time.Time `json:"since"`                    // when the connection was made or lost
	Error         string    `json:"error,omitempty"`          // why there is no connection
	NextTry       time.Time `json:"next_try,omitzero"`        // when the next attempt to connect begins; zero if there is a connection, or an attempt is under way
	Blocked       bool      `json:"blocked"`                  // the broker is short of memory or disk, and accepts no messages
	BlockedReason string    `json:"blocked_reason,omitempty"` // the broker's text
}

// QueueStatus says whether a queue is served: whether this server or client consumes it. It
// can be encoded as JSON.
type QueueStatus struct {
	Name    string    `json:"name"`
	Served  bool      `json:"served"`
	Since   time.Time `json:"since"`             // when the server or client began or ceased to consume it
	Error   string    `json:"error,omitempty"`   // why the queue is not served
	NextTry time.Time `json:"next_try,omitzero"` // when the server tries again; zero if the queue is served, an attempt is under way, or there is no connection
}

// ClientStatus is what [Client.Status] returns. It can be encoded as JSON.
type ClientStatus struct {
	Connection ConnectionStatus `json:"connection"`
	ReplyQueue QueueStatus      `json:"reply_queue"` // without a name until the first connection
}

// Err returns nil if the client can make calls now. Otherwise it returns an error that says
// why not.
func (s ClientStatus) Err() error {
	if err := s.Connection.err(); err != nil {
		return err
	}
	return s.ReplyQueue.err()
}

// ServerStatus is what [Server.Status] returns. It can be encoded as JSON.
type ServerStatus struct {
	Connection ConnectionStatus `json:"connection"`
	Draining   bool             `json:"draining"` // the server takes no more requests, and answers the requests that it has
	Queues     []QueueStatus    `json:"queues"`   // in the order in which they were registered
}

// Err returns nil if the server takes and answers requests on all its queues now. Otherwise
// it returns an error that says why not. A readiness probe needs nothing else.
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

// Status returns the present state of the client. It never waits, and is safe for
// concurrent use.
func (c *Client) Status() ClientStatus {
	h := &c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	return ClientStatus{Connection: h.conn, ReplyQueue: h.queues[0]}
}

// Status returns the present state of the server, for example for a readiness probe. It
// never waits, and is safe for concurrent use.
func (s *Server) Status() ServerStatus {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	return ServerStatus{Connection: h.conn, Draining: h.draining, Queues: slices.Clone(h.queues)}
}
