package amqptest

import (
	"bytes"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// mechanism reads a user's name and password from a client's response.
type mechanism func(response []byte) (name, password string, ex *exception)

// mechanisms are those that connection.start offers. Nothing changes the map.
var mechanisms = map[string]mechanism{
	"PLAIN":    plain,
	"AMQPLAIN": amqplain,
}

// plain is SASL PLAIN (RFC 4616) without an authorization identity, as
// RabbitMQ wants it: NUL, name, NUL, password.
func plain(response []byte) (name, password string, ex *exception) {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 || len(parts[0]) != 0 {
		return "", "", fail(syntaxError, "response %s invalid", binaryTerm(response))
	}
	return string(parts[1]), string(parts[2]), nil
}

// amqplain is a field table with LOGIN and PASSWORD, without its length.
func amqplain(response []byte) (name, password string, ex *exception) {
	t, err := frame.ParseTable(response)
	if err != nil {
		return "", "", crash()
	}
	login, hasLogin := t.Lookup("LOGIN")
	secret, hasSecret := t.Lookup("PASSWORD")
	if !hasLogin || !hasSecret {
		return "", "", fail(syntaxError, "AMQPLAIN auth info is missing LOGIN or PASSWORD field")
	}
	name, okLogin := login.(string)
	password, okSecret := secret.(string)
	if !okLogin || !okSecret {
		return "", "", fail(syntaxError, "AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field")
	}
	return name, password, nil
}

// anonymous logs in as the user that the broker's URL names.
func (b *Broker) anonymous([]byte) (name, password string, ex *exception) {
	name, password = b.user()
	return name, password, nil
}
