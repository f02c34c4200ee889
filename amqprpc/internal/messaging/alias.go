package messaging

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"

// What the package above needs of transport.
type (
	// Config says how to connect.
	Config = transport.Config
	// Dialer makes connections.
	Dialer = transport.Dialer
	// Conn is one connection to the broker.
	Conn = transport.Conn
	// Channel is a channel of a connection.
	Channel = transport.Channel
	// Message is a message that came in. It is valid during the call only that it is
	// an argument of, except for the body.
	Message = transport.Message
	// Publishing is a message to publish.
	Publishing = transport.Publishing
	// QueueDeclaration is a queue to declare.
	QueueDeclaration = transport.QueueDeclaration
	// Refusal says what the broker has refused to a connection.
	Refusal = transport.Refusal
	// Table holds arguments of a declaration.
	Table = transport.Table
)

// Reply codes of the broker, for [Code], and refusals.
const (
	CodeNotFound           = transport.CodeNotFound
	CodeAccessRefused      = transport.CodeAccessRefused
	CodeResourceLocked     = transport.CodeResourceLocked
	CodePreconditionFailed = transport.CodePreconditionFailed
	CodeNotAllowed         = transport.CodeNotAllowed

	RefusedCredentials = transport.RefusedCredentials
	RefusedVirtualHost = transport.RefusedVirtualHost
	NoVirtualHost      = transport.NoVirtualHost

	// Types of exchanges.
	KindHeaders = transport.KindHeaders
	KindDirect  = transport.KindDirect
)

// NewDialer checks the configuration. It does not connect.
func NewDialer(cfg Config) (*Dialer, error) { return transport.NewDialer(cfg) }

// Code returns the reply code of the broker's exception within err, else 0.
func Code(err error) int { return transport.Code(err) }

// RefusalOf returns the refusal within err, else 0.
func RefusalOf(err error) Refusal { return transport.RefusalOf(err) }

// TooLarge returns the broker's limit of a message, if err is the end of a channel on
// which a message was larger.
func TooLarge(err error) (limit int, ok bool) { return transport.TooLarge(err) }

// Permanent marks err as one that another attempt cannot cure.
func Permanent(err error) error { return transport.Permanent(err) }

// IsPermanent reports whether another attempt cannot cure err.
func IsPermanent(err error) bool { return transport.IsPermanent(err) }
