package discovery

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// FuzzAnswer reads answers of any server. What is read can be used, and asked for again.
func FuzzAnswer(f *testing.F) {
	f.Add("i", []byte(`{"type":"amqprpc.stats.v1","instance":"i","methods":[{"queue":"q","handler_time":{"count":2,"sum_ns":5,"buckets":[[1024,2]]}}]}`))
	f.Add("i", []byte(`{"type":"amqprpc.stats.v1","instance":"i","methods":[{"queue_time":{"count":-9223372036854775808,"max_ns":-1,"buckets":[[-1,-1],[9,9223372036854775807]]}}]}`))
	f.Add("", []byte(`{"type":"amqprpc.stats.v1"}`))
	f.Add("i", []byte(`null`))
	f.Fuzz(func(t *testing.T, id string, body []byte) {
		var d describe.Stats
		if err := read(amqprpc.Answer[json.RawMessage]{Instance: id, Value: body}, &d, &d.Identity, describe.TypeStats); err != nil {
			require.NotEmpty(t, err.Error())
			require.Less(t, len(err.Error()), 2000)
			return
		}
		require.Equal(t, id, d.Instance)
		for _, m := range d.Methods {
			m.Total()
			for _, h := range []describe.Histogram{m.Handler, m.Queued} {
				h.Mean()
				sum := h.Merge(h)
				sum.Quantile(0.99)
				h.Since(sum)
			}
		}
		var i describe.Info
		_ = read(amqprpc.Answer[json.RawMessage]{Instance: id, Value: body}, &i, &i.Identity, describe.TypeInfo)
	})
}
