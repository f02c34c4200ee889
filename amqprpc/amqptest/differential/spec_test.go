package differential

import "strings"

// fieldSpec is one field of a method, content header or table of the specification.
type fieldSpec struct{ name, kind string }

// methodSpec is one method of AMQP 0-9-1 or of RabbitMQ's extensions to it.
type methodSpec struct {
	class, id uint16
	name      string
	fields    []fieldSpec
	replies   []string // what answers it, none for an asynchronous method
	content   bool     // a content header and body follow
}

// The methods, from the specification's section 1 ("class" chapters) and
// https://www.rabbitmq.com/amqp-0-9-1-reference.html. A kind is one of the
// specification's elementary domains (section 4.2.5).
const specText = `
10 10 connection.start version-major:octet version-minor:octet server-properties:table mechanisms:longstr locales:longstr
10 11 connection.start-ok client-properties:table mechanism:shortstr response:longstr locale:shortstr
10 20 connection.secure challenge:longstr
10 21 connection.secure-ok response:longstr
10 30 connection.tune channel-max:short frame-max:long heartbeat:short
10 31 connection.tune-ok channel-max:short frame-max:long heartbeat:short
10 40 connection.open virtual-host:shortstr reserved-1:shortstr reserved-2:bit = connection.open-ok
10 41 connection.open-ok reserved-1:shortstr
10 50 connection.close reply-code:short reply-text:shortstr class-id:short method-id:short = connection.close-ok
10 51 connection.close-ok
10 60 connection.blocked reason:shortstr
10 61 connection.unblocked
10 70 connection.update-secret new-secret:longstr reason:shortstr = connection.update-secret-ok
10 71 connection.update-secret-ok
20 10 channel.open reserved-1:shortstr = channel.open-ok
20 11 channel.open-ok reserved-1:longstr
20 20 channel.flow active:bit = channel.flow-ok
20 21 channel.flow-ok active:bit
20 40 channel.close reply-code:short reply-text:shortstr class-id:short method-id:short = channel.close-ok
20 41 channel.close-ok
30 10 access.request realm:shortstr exclusive:bit passive:bit active:bit write:bit read:bit = access.request-ok
30 11 access.request-ok ticket:short
40 10 exchange.declare reserved-1:short exchange:shortstr type:shortstr passive:bit durable:bit auto-delete:bit internal:bit nowait:bit arguments:table = exchange.declare-ok
40 11 exchange.declare-ok
40 20 exchange.delete reserved-1:short exchange:shortstr if-unused:bit nowait:bit = exchange.delete-ok
40 21 exchange.delete-ok
40 30 exchange.bind reserved-1:short destination:shortstr source:shortstr routing-key:shortstr nowait:bit arguments:table = exchange.bind-ok
40 31 exchange.bind-ok
40 40 exchange.unbind reserved-1:short destination:shortstr source:shortstr routing-key:shortstr nowait:bit arguments:table = exchange.unbind-ok
40 51 exchange.unbind-ok
50 10 queue.declare reserved-1:short queue:shortstr passive:bit durable:bit exclusive:bit auto-delete:bit nowait:bit arguments:table = queue.declare-ok
50 11 queue.declare-ok queue:shortstr message-count:long consumer-count:long
50 20 queue.bind reserved-1:short queue:shortstr exchange:shortstr routing-key:shortstr nowait:bit arguments:table = queue.bind-ok
50 21 queue.bind-ok
50 30 queue.purge reserved-1:short queue:shortstr nowait:bit = queue.purge-ok
50 31 queue.purge-ok message-count:long
50 40 queue.delete reserved-1:short queue:shortstr if-unused:bit if-empty:bit nowait:bit = queue.delete-ok
50 41 queue.delete-ok message-count:long
50 50 queue.unbind reserved-1:short queue:shortstr exchange:shortstr routing-key:shortstr arguments:table = queue.unbind-ok
50 51 queue.unbind-ok
60 10 basic.qos prefetch-size:long prefetch-count:short global:bit = basic.qos-ok
60 11 basic.qos-ok
60 20 basic.consume reserved-1:short queue:shortstr consumer-tag:shortstr no-local:bit no-ack:bit exclusive:bit nowait:bit arguments:table = basic.consume-ok
60 21 basic.consume-ok consumer-tag:shortstr
60 30 basic.cancel consumer-tag:shortstr nowait:bit = basic.cancel-ok
60 31 basic.cancel-ok consumer-tag:shortstr
60 40 basic.publish reserved-1:short exchange:shortstr routing-key:shortstr mandatory:bit immediate:bit + content
60 50 basic.return reply-code:short reply-text:shortstr exchange:shortstr routing-key:shortstr + content
60 60 basic.deliver consumer-tag:shortstr delivery-tag:longlong redelivered:bit exchange:shortstr routing-key:shortstr + content
60 70 basic.get reserved-1:short queue:shortstr no-ack:bit = basic.get-ok basic.get-empty
60 71 basic.get-ok delivery-tag:longlong redelivered:bit exchange:shortstr routing-key:shortstr message-count:long + content
60 72 basic.get-empty reserved-1:shortstr
60 80 basic.ack delivery-tag:longlong multiple:bit
60 90 basic.reject delivery-tag:longlong requeue:bit
60 100 basic.recover-async requeue:bit
60 110 basic.recover requeue:bit = basic.recover-ok
60 111 basic.recover-ok
60 120 basic.nack delivery-tag:longlong multiple:bit requeue:bit
85 10 confirm.select nowait:bit = confirm.select-ok
85 11 confirm.select-ok
90 10 tx.select = tx.select-ok
90 11 tx.select-ok
90 20 tx.commit = tx.commit-ok
90 21 tx.commit-ok
90 30 tx.rollback = tx.rollback-ok
90 31 tx.rollback-ok
`

// propertySpecs are the fourteen properties of class basic, in the order of their flag
// bits from the highest down.
var propertySpecs = parseFields(strings.Fields(`content-type:shortstr content-encoding:shortstr headers:table
	delivery-mode:octet priority:octet correlation-id:shortstr reply-to:shortstr expiration:shortstr message-id:shortstr
	timestamp:timestamp type:shortstr user-id:shortstr app-id:shortstr cluster-id:shortstr`))

func parseFields(words []string) []fieldSpec {
	var fields []fieldSpec
	for _, w := range words {
		name, kind, _ := strings.Cut(w, ":")
		fields = append(fields, fieldSpec{name, kind})
	}
	return fields
}

// spec is all methods, by name and by number.
type spec struct {
	byName map[string]*methodSpec
	byID   map[[2]uint16]*methodSpec
}

var amqp091 = parseSpec(specText)

func parseSpec(text string) spec {
	s := spec{map[string]*methodSpec{}, map[[2]uint16]*methodSpec{}}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line, content := strings.CutSuffix(strings.TrimSpace(line), " + content")
		line, replies, _ := strings.Cut(line, " = ")
		words := strings.Fields(line)
		m := &methodSpec{
			class: mustUint16(words[0]), id: mustUint16(words[1]), name: words[2],
			fields: parseFields(words[3:]), replies: strings.Fields(replies), content: content,
		}
		s.byName[m.name] = m
		s.byID[[2]uint16{m.class, m.id}] = m
	}
	return s
}
