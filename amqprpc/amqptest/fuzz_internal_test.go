package amqptest

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReplyAddress resolves addresses of direct replies as each release does. Only the address
// of a consumer, however it is written, finds the consumer.
func FuzzReplyAddress(f *testing.F) {
	own := process{node: "reply@12345678", number: 1, serial: 2, creation: 3}
	f.Add(strings.TrimPrefix(own.address("a2V5"), replyToPrefix))
	f.Add("")
	f.Add("..")
	f.Add("g1h3.x")
	f.Add(base64.StdEncoding.EncodeToString([]byte{131, 103, 119, 1, 'n', 0, 0, 0, 1, 0, 0, 0, 1, 1}) + ".x")
	f.Add(base64.StdEncoding.EncodeToString([]byte{131, 119, 200, 'n'}) + ".x")
	f.Fuzz(func(t *testing.T, rest string) {
		for _, release := range []Version{RabbitMQ310, RabbitMQ40, RabbitMQ43} {
			b := &Broker{cfg: config{follow: release}, nodeHash: "12345678", creation: 3}
			r := &replyConsumer{address: own.address("a2V5")}
			b.replies = map[string]*replyConsumer{r.address: r}
			found, fate := b.resolve(replyToPrefix + rest)
			if found != nil && (fate != knownAddress || !strings.HasSuffix(rest, ".a2V5")) {
				t.Errorf("%s: %q finds the consumer (%d)", release, rest, fate)
			}
			if release == RabbitMQ43 && fate != knownAddress && fate != noAddress {
				t.Errorf("%q is fatal to %s", rest, release)
			}
		}
	})
}

// FuzzValidString holds the check of short strings to unicode/utf8, which is stricter than
// the older releases.
func FuzzValidString(f *testing.F) {
	for _, s := range []string{"", "q", "ü", "\xff", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xed\xa0"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		valid := utf8.Valid(s)
		if RabbitMQ43.validString(s) != valid {
			t.Errorf("%q: valid is %v", s, !valid)
		}
		if valid && !RabbitMQ310.validString(s) {
			t.Errorf("%q is UTF-8", s)
		}
		if text := RabbitMQ40.printed(string(s)); !utf8.ValidString(text) && len(text) < 255-len(ellipsis) {
			t.Errorf("%q prints as %q", s, text)
		}
	})
}

// FuzzImportDefinitions imports what may be no definitions at all.
func FuzzImportDefinitions(f *testing.F) {
	f.Add([]byte(`{"users": [{"name": "u", "password_hash": "AAAA", "tags": "a,b"}], "vhosts": [{"name": "v", "metadata": {}}]}`))
	f.Add([]byte(`{"queues": [{"vhost": "/", "name": "q", "arguments": {"x-max-length": 1e300, "x": [null, {}, 1.5]}}]}`))
	f.Add([]byte(`{"policies": [{"vhost": "/", "name": "p", "pattern": ".", "definition": {"expires": 1, "message-ttl": -1}}]}`))
	f.Add([]byte(`{"exchanges": [{"vhost": "/", "name": "x", "type": "headers"}], "bindings": [{"vhost": "/", "source": "x", "destination": "x", "destination_type": "exchange"}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		b := NewBroker(WithoutListener())
		_ = b.ImportDefinitions(bytes.NewReader(file))
		if err := b.CheckInvariants(); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}
