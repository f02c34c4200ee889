package discovery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

const jsonType = "application/json"

var (
	// errorSchema is the schema of the body of every error.
	errorSchema = json.RawMessage(`{"type":"object","description":"The body of a reply with the header rpc-code.",` +
		`"properties":{"code":{"type":"string"},"message":{"type":"string","description":"text for people"},` +
		`"details":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"value":true},"required":["name","value"]}}},` +
		`"required":["code","message"]}`)

	noContent = json.RawMessage(`{"type":"object","description":"There is no content. The receiver ignores the body."}`)
)

// alone returns m as a message of its own: not within the messages of a stream.
func alone(m apiMessage) apiMessage {
	m.CorrelationID = &apiAddress{"$message.header#/correlationId"}
	return m
}

// message describes a message of a method.
func (b *apiBuilder) message(name string, m method, d describe.Message) apiMessage {
	msg := apiMessage{Name: name, Title: d.Type, ContentType: jsonType}
	if !takesJSON(m.Codecs) {
		msg.ContentType = m.Codecs[0]
		msg.Description = "There is no schema, because schemas describe JSON, and the server takes none."
		return msg
	}
	switch {
	case d.Type == "" && d.Schema == nil:
		msg.Payload = noContent
	case d.Schema != nil:
		ref, err := b.schema(d.Type, d.Schema)
		if err != nil {
			msg.Description = "The server's schema is left out: " + err.Error()
			return msg
		}
		msg.Payload = ref
	}
	if d.Example != nil && json.Valid(d.Example) {
		msg.Examples = []apiExample{{copied(d.Example, isLiteral, "")}}
	}
	return msg
}

// takesJSON reports whether a server takes JSON. A server that does not say takes it.
func takesJSON(codecs []string) bool {
	return len(codecs) == 0 || slices.ContainsFunc(codecs, func(c string) bool {
		c, _, _ = strings.Cut(c, ";")
		return strings.EqualFold(strings.TrimSpace(c), jsonType)
	})
}

// keyedMessage is a message with its key in a channel.
type keyedMessage struct {
	key string
	apiMessage
}

// errors returns the documented errors of a method, and any other error.
func (b *apiBuilder) errors(id string, m method) []keyedMessage {
	var all []keyedMessage
	keys := uniqueNames{}
	for _, e := range m.Errors {
		key := keys.take("error." + e.Code)
		code, _ := json.Marshal(e.Code)
		payload := fmt.Sprintf(`{"allOf":[{"$ref":"#/components/schemas/Error"}],"properties":{"code":{"const":%s}}}`, code)
		if e.Details != nil {
			if ref, err := b.schema("details."+e.Code, e.Details); err == nil {
				payload = fmt.Sprintf(`{"allOf":[{"$ref":"#/components/schemas/Error"}],"properties":{"code":{"const":%s},`+
					`"details":{"type":"array","items":{"type":"object","properties":{"value":%s}}}}}`, code, ref)
			}
		}
		all = append(all, keyedMessage{key, apiMessage{
			Name: id + "." + key, Title: e.Code, ContentType: jsonType, Payload: json.RawMessage(payload),
			Headers: fmt.Appendf(nil, `{"type":"object","properties":{"rpc-code":{"const":%s}},"required":["rpc-code"]}`, code),
		}})
	}
	return append(all, keyedMessage{"error", apiMessage{
		Name: id + ".error", Title: "any error", ContentType: jsonType, Payload: json.RawMessage(`{"$ref":"#/components/schemas/Error"}`),
		Headers: json.RawMessage(`{"type":"object","properties":{"rpc-code":{"type":"string"}},"required":["rpc-code"]}`),
	}})
}
