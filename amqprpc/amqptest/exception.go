package amqptest

import (
	"fmt"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// reply is a reply code with its name in the specification (1.2). The hard ones
// close the connection, the others the channel.
type reply struct {
	code uint16
	name string
	hard bool
}

var (
	noRoute            = reply{312, "NO_ROUTE", false}
	connectionForced   = reply{320, "CONNECTION_FORCED", true}
	accessRefused      = reply{403, "ACCESS_REFUSED", false}
	notFound           = reply{404, "NOT_FOUND", false}
	resourceLocked     = reply{405, "RESOURCE_LOCKED", false}
	preconditionFailed = reply{406, "PRECONDITION_FAILED", false}
	frameError         = reply{501, "FRAME_ERROR", true}
	syntaxError        = reply{502, "SYNTAX_ERROR", true}
	commandInvalid     = reply{503, "COMMAND_INVALID", true}
	channelError       = reply{504, "CHANNEL_ERROR", true}
	unexpectedFrame    = reply{505, "UNEXPECTED_FRAME", true}
	notAllowed         = reply{530, "NOT_ALLOWED", true}
	notImplemented     = reply{540, "NOT_IMPLEMENTED", true}
	internalError      = reply{541, "INTERNAL_ERROR", true}
)

// exception is what a method may end in instead of its answer.
type exception struct {
	reply
	text string
	// method is the one that the close names; zero for none.
	method frame.ID
	// anonymous exceptions name no method even where there was one.
	anonymous bool
	// mute exceptions are not told: the connection just ends.
	mute bool
}

// fail makes an exception whose text is RabbitMQ's: the code's name, a dash and
// an explanation, cut to what a short string holds.
func fail(r reply, format string, args ...any) *exception {
	return &exception{reply: r, text: shorten(r.name + " - " + fmt.Sprintf(format, args...))}
}

const ellipsis = "..."

// shorten cuts a text to what a short string holds.
func shorten(text string) string {
	const most = 255
	if len(text) > most {
		return text[:most-len(ellipsis)] + ellipsis
	}
	return text
}

// silent makes an exception that names no method.
func (e *exception) silent() *exception {
	e.anonymous = true
	return e
}

// untold makes an exception that ends the connection without a word.
func (e *exception) untold() *exception {
	e.mute = true
	return e
}

// crash is the answer to input that makes a process of RabbitMQ's die: no
// explanation, and no method named.
func crash() *exception {
	return &exception{reply: internalError, text: internalError.name, anonymous: true}
}

// in says which method caused the exception, unless it is known already.
func (e *exception) in(id frame.ID) *exception {
	if e != nil && e.method == 0 && !e.anonymous {
		e.method = id
	}
	return e
}
