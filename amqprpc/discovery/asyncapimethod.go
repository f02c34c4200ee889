package discovery

import (
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

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
	isCall := m.Kind == describe.KindUnary || m.Kind == ""
	first, message := "request", m.Request
	if !isCall && m.Kind != describe.KindServerStream {
		first, message = "open", describe.Message{}
	}
	channel.Messages[first] = alone(b.message(id+"."+first, m, message))
	op.Messages = []apiReference{apiRef("channels", id, "messages", first)}
	text := []string{m.Doc}
	if isCall {
		op.Reply = b.reply(id, m)
	} else {
		op.Facts.Stream = b.stream(id, m)
		text = append(text, streamText(m.Kind, op.Facts.Stream.channel))
	}
	text = append(text, differencesText(m.others))
	op.Description = strings.Join(slices.DeleteFunc(text, func(s string) bool { return s == "" }), "\n\n")
	b.doc.Channels[id], b.doc.Operations[id] = channel, op
}

// reply adds the channel of the replies to a call.
func (b *apiBuilder) reply(id string, m method) *apiReply {
	name := b.ids.take(id + ".reply")
	ch := apiChannel{
		Description: "The queue that the property reply_to of the request names.",
		Messages:    map[string]apiMessage{"response": alone(b.message(id+".response", m, m.Response))},
	}
	messages := []apiReference{apiRef("channels", name, "messages", "response")}
	for _, e := range b.errors(id, m) {
		ch.Messages[e.key] = alone(e.apiMessage)
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
	s := &apiStream{channel: name}
	if m.Kind != describe.KindServerStream {
		ch.Messages["request"] = b.message(id+".request", m, m.Request)
		request := apiRef("channels", name, "messages", "request")
		s.Request = &request
	}
	ch.Messages["response"] = b.message(id+".response", m, m.Response)
	s.Response = apiRef("channels", name, "messages", "response")
	for _, e := range b.errors(id, m) {
		e.Headers = nil
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
