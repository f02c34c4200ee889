package amqprpc

import (
	"errors"
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// WithUserID makes a client name its user with each request, in AMQP's property user_id.
// RabbitMQ refuses a message whose user_id is not the user of its connection
// (https://www.rabbitmq.com/docs/validated-user-id), so that a server can trust it:
// [Request.UserID].
//
// The user is that of the URL. If the URL names none because the broker takes the user from
// a certificate, or if the URLs of [WithBrokers] name different users, [NewClient] returns
// invalid_argument. If the broker knows the user under another name, as with OAuth 2.0
// tokens, [Dial] returns failed_precondition.
func WithUserID() ClientOption {
	return clientOption(func(c *clientConfig) { c.userID = true })
}

// UserID returns the RabbitMQ user who sent a request, as the broker has checked it; "" if
// the caller does not name its user ([WithUserID]). Users with RabbitMQ's tag impersonator
// may name any user. UserID is always "" on a client.
//
// A server that copies a redelivered request to count its deliveries ([WithMaxDeliveries])
// publishes as its own user. The copy names the caller in a header, which other servers
// believe only if they connect as the same user. If they do not, UserID is "" for the copy.
func (r *Request) UserID() string {
	if r.in == nil {
		return ""
	}
	return r.in.message.Caller(r.in.endpoint.server.user)
}

// requestUser is the user_id of a client's requests.
func requestUser(cfg *clientConfig, dialer *messaging.Dialer) (string, error) {
	if !cfg.userID {
		return "", nil
	}
	user := dialer.User()
	switch {
	case user == "":
		return "", errors.New("WithUserID: the URLs do not name one user")
	case len(user) > protocol.MaxShortString:
		return "", fmt.Errorf("WithUserID: the user's name has %d bytes; AMQP allows %d", len(user), protocol.MaxShortString)
	}
	return user, nil
}

// serverUser is the user_id of what a server publishes to its own queues; "" is none.
func serverUser(dialer *messaging.Dialer) string {
	if user := dialer.User(); len(user) <= protocol.MaxShortString {
		return user
	}
	return ""
}
