package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// AsyncAPI returns an AsyncAPI 3.1 document of the server and its methods, as indented JSON.
// It needs no broker: a program for go generate registers the handlers and calls AsyncAPI.
// Messages have payloads if the server has WithSchemas. The same program has the same document
// each time. The error is that of [amqprpc.Server.Describe].
func AsyncAPI(srv *amqprpc.Server) ([]byte, error) {
	info, err := srv.Describe()
	if err != nil {
		return nil, err
	}
	return AsyncAPIOf(info)
}

// AsyncAPIOf returns one AsyncAPI 3.1 document of all methods in the descriptions, as indented
// JSON. The order of the descriptions does not matter.
//
// If several servers have a method, the description of the newest version counts, and of equal
// versions that of the server that started last. The document says how others differ. A
// service without a version has "0.0.0".
//
// The document has no servers, so that it is true for every broker. A reference in a schema to
// another document is left out. The document is what the servers say, unchecked.
func AsyncAPIOf(infos ...describe.Info) ([]byte, error) {
	b := &apiBuilder{ids: uniqueNames{}, schemas: uniqueNames{"Error": 1}, refs: make(map[string]json.RawMessage)}
	b.doc = apiDocument{
		AsyncAPI: "3.1.0", Info: apiInfoOf(infos), DefaultContentType: jsonType,
		Channels: make(map[string]apiChannel), Operations: make(map[string]apiOperation),
		Components: apiComponents{Schemas: make(map[string]json.RawMessage)},
	}
	methods := newestMethods(infos)
	ids := make([]string, len(methods))
	for i, m := range methods {
		ids[i] = b.ids.take(m.Queue)
	}
	several := len(newestServices(infos)) > 1
	for i, m := range methods {
		if !several {
			m.service = "" // the document says it
		}
		b.add(ids[i], m)
	}
	if len(methods) > 0 {
		b.doc.Components.Schemas["Error"] = errorSchema
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(b.doc); err != nil {
		return nil, fmt.Errorf("discovery: AsyncAPI: %w", err)
	}
	return text.Bytes(), nil
}

// newestServices returns the newest description of each service, by name.
func newestServices(infos []describe.Info) map[string]describe.Info {
	byName := make(map[string]describe.Info)
	for _, i := range infos {
		if old, known := byName[i.Name]; !known || newest(i, old) < 0 {
			byName[i.Name] = i
		}
	}
	return byName
}

// apiInfoOf describes the service, or all of them.
func apiInfoOf(infos []describe.Info) apiInfo {
	byName := newestServices(infos)
	names := slices.Sorted(maps.Keys(byName))
	if len(names) == 1 {
		i := byName[names[0]]
		metadata := maps.Clone(i.Metadata)
		delete(metadata, "$ref") // tools would take it for a reference
		return apiInfo{Title: cmp.Or(i.Name, "amqprpc"), Version: cmp.Or(i.Version, "0.0.0"), Description: i.Description, Metadata: metadata}
	}
	var lines []string
	for _, name := range names {
		i := byName[name]
		line := "- " + name
		if i.Version != "" {
			line += " " + i.Version
		}
		if i.Description != "" {
			line += ": " + i.Description
		}
		lines = append(lines, line)
	}
	return apiInfo{Title: cmp.Or(strings.Join(names, ", "), "amqprpc"), Version: "0.0.0", Description: strings.Join(lines, "\n")}
}

// apiBuilder collects the parts of a document.
type apiBuilder struct {
	doc     apiDocument
	ids     uniqueNames                // of channels
	schemas uniqueNames                // in components
	refs    map[string]json.RawMessage // to the schemas, by the name of their type and themselves
}

// add adds the channels and the operation of a method.
func (b *apiBuilder) add(id string, m method) {
	channel := apiChannel{Address: addressOf(m.Queue), Messages: make(map[string]apiMessage), Bindings: queueBinding(m.Queue)}
	op := apiOperation{
		Action: "receive", Channel: apiRef("channels", id), Title: m.Queue, Bindings: ackBinding(),
		Facts: apiFacts{
			Kind: m.Kind, Service: m.service, Delivery: m.Delivery, Codecs: m.Codecs, Broadcast: m.Broadcast,
			TimeoutMS: m.TimeoutMS, Others: m.others,
		},
	}
	text := []string{m.Doc}
	if m.Kind == describe.KindUnary || m.Kind == "" {
		channel.Messages["request"] = b.message(id+".request", m, m.Request)
		op.Messages = []apiReference{apiRef("channels", id, "messages", "request")}
		op.Reply = b.reply(id, m)
	} else {
		first := "open"
		if m.Kind == describe.KindServerStream {
			first = "request"
			channel.Messages[first] = b.message(id+".request", m, m.Request)
		} else {
			channel.Messages[first] = b.message(id+".open", m, describe.Message{})
		}
		op.Messages = []apiReference{apiRef("channels", id, "messages", first)}
		op.Facts.Stream = b.stream(id, m)
		text = append(text, streamText(m.Kind, strings.TrimPrefix(op.Facts.Stream.channel.Ref, "#/channels/")))
	}
	text = append(text, differencesText(m.others))
	op.Description = strings.Join(slices.DeleteFunc(text, func(s string) bool { return s == "" }), "\n\n")
	channel.Description = m.Doc
	b.doc.Channels[id], b.doc.Operations[id] = channel, op
}

// reply adds the channel of the replies to a call.
func (b *apiBuilder) reply(id string, m method) *apiReply {
	name := b.ids.take(id + ".reply")
	ch := apiChannel{
		Description: "The queue that the property reply_to of the request names.",
		Messages:    map[string]apiMessage{"response": b.message(id+".response", m, m.Response)},
	}
	messages := []apiReference{apiRef("channels", name, "messages", "response")}
	for _, e := range b.errors(id, m) {
		ch.Messages[e.key] = e.apiMessage
		messages = append(messages, apiRef("channels", name, "messages", e.key))
	}
	b.doc.Channels[name] = ch
	return &apiReply{Address: apiAddress{Location: "$message.header#/replyTo"}, Channel: apiRef("channels", name), Messages: messages}
}

// stream adds the channel of the items of a stream.
func (b *apiBuilder) stream(id string, m method) *apiStream {
	name := b.ids.take(id + ".stream")
	ch := apiChannel{
		Description: "The mailboxes of the caller and of the server. The messages here are inside of messages of content type " + streamType + ".",
		Messages:    make(map[string]apiMessage),
	}
	s := &apiStream{channel: apiRef("channels", name)}
	if m.Kind != describe.KindServerStream {
		ch.Messages["request"] = b.message(id+".request", m, m.Request)
		s.Request = &apiReference{Ref: apiRef("channels", name, "messages", "request").Ref}
	}
	ch.Messages["response"] = b.message(id+".response", m, m.Response)
	s.Response = apiRef("channels", name, "messages", "response")
	for _, e := range b.errors(id, m) {
		ch.Messages[e.key] = e.apiMessage
	}
	b.doc.Channels[name] = ch
	return s
}

const streamType = "application/vnd.amqprpc.stream"

// streamText says what the document cannot.
func streamText(kind, channel string) string {
	what := map[string]string{
		describe.KindServerStream: "The server answers with a stream of responses.",
		describe.KindClientStream: "The caller sends a stream of requests after the opening message. The server answers with one response.",
		describe.KindBidiStream:   "The caller and the server send streams to each other after the opening message.",
	}[kind]
	return strings.TrimSpace(what + " The channel " + channel + " has the messages. They travel with flow control inside of messages of content type " +
		streamType + ", which AsyncAPI cannot describe.")
}
