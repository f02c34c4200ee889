package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Exception is an error of the driver or of the broker, with a reply code.
type Exception = amqp.Error

// permanentError is a failure that another attempt cannot cure.
type permanentError struct {
	error
	refusal Refusal
}

func (e permanentError) Unwrap() error { return e.error }

// Permanent marks err as one that another attempt cannot cure.
func Permanent(err error) error { return permanentError{error: err} }

// Refusal says what the broker has refused to a connection.
type Refusal int

// The refusals that callers tell apart.
const (
	RefusedCredentials Refusal = iota + 1
	RefusedVirtualHost
	NoVirtualHost
)

// RefusalOf returns the refusal within err, else 0.
func RefusalOf(err error) Refusal {
	e, _ := errors.AsType[permanentError](err)
	return e.refusal
}

// IsPermanent reports whether another attempt cannot cure err.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[permanentError](err)
	return ok
}

// Code returns the reply code of the broker's exception within err
// (https://www.rabbitmq.com/amqp-0-9-1-reference#constants), else 0.
func Code(err error) int {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return e.Code
	}
	return 0
}

// TooLarge returns the broker's limit of a message, if err is the end of a channel on
// which a message was larger (https://www.rabbitmq.com/docs/configure, max_message_size).
// The broker has handled what came before on the channel, and nothing that came after.
func TooLarge(err error) (limit int, ok bool) {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok || e.Code != amqp.PreconditionFailed || !strings.Contains(e.Reason, "message size ") {
		return 0, false
	}
	words := strings.Fields(e.Reason)
	limit, err = strconv.Atoi(strings.TrimRight(words[len(words)-1], ".'"))
	return limit, err == nil && limit > 0
}

// Reply codes that callers tell apart.
const (
	CodeNotFound           = amqp.NotFound
	CodeAccessRefused      = amqp.AccessRefused
	CodeResourceLocked     = amqp.ResourceLocked
	CodePreconditionFailed = amqp.PreconditionFailed
	CodeNotAllowed         = amqp.NotAllowed
)

// explain says what a failure to connect means, and whether it is permanent.
func (d *Dialer) explain(err error, took time.Duration) error {
	addr := d.Addr()
	refuse := func(r Refusal, advice string) error {
		return permanentError{fmt.Errorf("connect to %s: %s: %w", addr, advice, err), r}
	}
	fail := func(advice string) error { return refuse(0, advice) }
	if ae, ok := errors.AsType[*amqp.Error](err); ok {
		switch {
		case ae == amqp.ErrCredentials:
			// The driver says so whenever the connection ends in answer to the
			// credentials. RabbitMQ waits before it closes on wrong ones. A
			// connection that is closed sooner was most likely only dropped,
			// unless that happens again.
			d.fast++
			if took < time.Second && d.fast < 3 {
				return fmt.Errorf("connect to %s: the connection was closed in the handshake: %w", addr, err)
			}
			return refuse(RefusedCredentials, "the broker refused the user or password of the URL")
		case ae == amqp.ErrVhost:
			return fmt.Errorf("connect to %s: the connection was closed in the handshake: %w", addr, err)
		case ae == amqp.ErrSASL:
			return refuse(RefusedCredentials, "the broker offers no login mechanism that the URL's credentials can be used with")
		case ae.Server && ae.Code == amqp.AccessRefused:
			return refuse(RefusedCredentials, "the broker refused the user or password of the URL")
		case ae.Server && ae.Code == amqp.NotAllowed && strings.Contains(ae.Reason, "limit"):
			// The limit of the user or of the virtual host. A connection becomes
			// free when another one ends, as in a rolling deploy.
			return fmt.Errorf("connect to %s: the broker's limit of connections is reached; raise the limit or wait until a connection ends: %w", addr, err)
		case ae.Server && ae.Code == amqp.NotAllowed && strings.Contains(ae.Reason, "not found"):
			return refuse(NoVirtualHost, "the virtual host does not exist")
		case ae.Server && ae.Code == amqp.NotAllowed:
			return refuse(RefusedVirtualHost, "the user may not use the virtual host")
		}
	}
	var tlsRecord tls.RecordHeaderError
	var unknownCA x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &tlsRecord):
		return fail("the port does not speak TLS; use amqp:// for it, or the broker's TLS port")
	case errors.As(err, &unknownCA), errors.As(err, &hostname), errors.As(err, &verify):
		return fail("the broker's certificate is not trusted; see WithTLS")
	}
	return fmt.Errorf("connect to %s: %w", addr, err)
}

// lostTo says which failure of its socket a connection was lost to. It does not wrap the
// failure, which may pass for the end of a ctx.
func lostTo(err error) error {
	return errors.New("the connection was lost: " + strings.TrimPrefix(err.Error(), "read "))
}

// closedBy says which exception of the broker's has ended the connection.
func closedBy(e *Exception) error { return fmt.Errorf("the broker closed the connection: %w", e) }
