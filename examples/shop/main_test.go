package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// firstOrder is the first section of the output, without what changes from run to run.
const firstOrder = `
  web-1        shop.orders.place (client) ok
  orders-1       shop.orders.place (server) ok
  orders-1         shop.pricing.quote (client) ok
  pricing-1          shop.pricing.quote (server) ok
  orders-1         shop.inventory.reserve (client) ok
  inventory-1        shop.inventory.reserve (server) ok
  level=INFO msg=rpc service=pricing-1 side=server kind=unary queue=shop.pricing.quote id=ID attempt=1 code=ok duration=TIME queue_time=TIME trace_id=ID span_id=ID encoding=zstd bytes=N
  level=INFO msg=rpc service=inventory-1 side=server kind=unary queue=shop.inventory.reserve id=ID attempt=1 code=ok duration=TIME queue_time=TIME trace_id=ID span_id=ID encoding=zstd bytes=N
  level=INFO msg=rpc service=orders-1 side=server kind=unary queue=shop.orders.place id=ID attempt=1 code=ok duration=TIME queue_time=TIME trace_id=ID span_id=ID encoding=gzip bytes=N
  the customer gets parcel 1 for 26070 cents
`

// sections returns the parts of the output by their titles.
func sections(out string) map[string]string {
	all := make(map[string]string)
	for _, s := range strings.Split(out, "\n== ")[1:] {
		title, text, _ := strings.Cut(s, "\n")
		all[title] = "\n" + text
	}
	return all
}

func TestShop(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), brokerURL(t), &out), "%s", &out)
	all := sections(out.String())
	require.Len(t, all, 6)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for title := range all {
		require.Contains(t, string(readme), "\n== "+title+"\n", "the README shows the output")
	}

	text := all["one order: its trace, and its log lines"]
	for pattern, name := range map[string]string{`\b(id|trace_id|span_id)=\S+`: "$1=ID", `\b(duration|queue_time)=\S+`: "$1=TIME", `bytes=\d+`: "bytes=N"} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, name)
	}
	require.Equal(t, firstOrder, text)

	text = all["refusals"]
	for _, refusal := range []string{
		"no token: shop.orders.place: unauthenticated: ", "a forged token: shop.orders.place: unauthenticated: ",
		"a token for another queue: shop.orders.place: permission_denied: customer-1 may not call",
		"an empty order: shop.orders.place: invalid_argument: the order is empty",
	} {
		require.Regexp(t, `\n  `+regexp.QuoteMeta(refusal)+`.*, outcome not-executed\n`, text)
	}
	require.Regexp(t, `100 orders of one customer at once: (\d+) are refused with resource_exhausted, and \d+ of`, text)

	// The first attempt was made at the server that hung, the second one at the other server.
	text = all["pricing-1 hangs, and is killed"]
	require.Regexp(t, `the second attempt won in [1-9]\d* calls`, text)
	require.Regexp(t, `(?s)orders-1         shop.pricing.quote \(client\) ok
 +\* hedge winner=second
  orders-1           attempt shop.pricing.quote \(internal\) .*?
  orders-1           attempt shop.pricing.quote \(internal\) ok
`, text)
	require.Contains(t, text, "\n  pricing-2          shop.pricing.quote (server) ok\n")
	require.NotContains(t, text, "\n  pricing-1 ", "a server that hangs has no span")
	require.Regexp(t, `the broker delivers what pricing-1 had to pricing-2: [1-9]\d* requests\n  0 orders failed`, text)

	text = all["inventory-1 is killed, the only one, and replaced"]
	require.Regexp(t, `from=closed to=open\n(.* from=open to=half-open\n.* from=half-open to=open\n)*.* from=open to=half-open\n.* from=half-open to=closed\n`, text)
	require.Regexp(t, `retry: [1-9]\d* attempts more`, text)
	require.Regexp(t, `orders-1         shop.inventory.reserve \(client\) ok\n +\* retry after=shop.inventory.reserve: unavailable: `, text)
	require.Contains(t, text, "inventory-2        shop.inventory.reserve (server) ok")

	require.Regexp(t, `^\n  [1-9]\d* orders were placed, [1-9]\d* were packed, 0 of them twice\n$`, all["the books"])

	text = all["a scrape of orders-1"]
	for _, line := range []string{
		`rpc_server_call_duration_seconds_count{amqprpc_kind="unary",amqprpc_outcome="",error_type="",rpc_method="shop.orders.place",rpc_status_code="ok",rpc_system_name="amqprpc"}`,
		`rpc_client_call_duration_seconds_count{amqprpc_kind="unary",amqprpc_outcome="",error_type="",rpc_method="shop.pricing.quote",rpc_status_code="ok",rpc_system_name="amqprpc"}`,
		`shop_hedges_total{rpc_method="shop.pricing.quote",winner="second"}`,
		`shop_retries_total{rpc_method="shop.inventory.reserve",rpc_status_code="unavailable"}`,
		`amqprpc_server_handled_total`,
	} {
		require.Regexp(t, `\n  `+regexp.QuoteMeta(line)+` [1-9]`, text)
	}
	require.Contains(t, text, `shop_breaker_state{rpc_method="shop.inventory.reserve"} 0`)
	require.Contains(t, text, "amqprpc_server_ready 1")
}

// The error says which service does not start, and why.
func TestNoBroker(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = run(ctx, "amqp://guest:guest@"+silent.Addr().String()+"/", &bytes.Buffer{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "pricing-1 starts: "+context.DeadlineExceeded.Error()+": not connected: connect to "+silent.Addr().String())
}

// An order that comes again gets the same parcel, and the same call ID of another customer does
// not.
func TestCallIDsBelongToCustomers(t *testing.T) {
	t.Parallel()
	d, err := newDemo(t.Context(), amqptest.Start(t).URL(), io.Discard)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.close()) }()
	_, err = d.start("pricing-1", newPricing)
	require.NoError(t, err)
	_, err = d.start("inventory-1", func(p *Platform, instance string, conn ...amqprpc.ConnOption) (*Service, error) {
		return newInventory(p, d.stock, instance, conn...)
	})
	require.NoError(t, err)
	_, err = d.start("orders-1", newOrders)
	require.NoError(t, err)
	place := func(customer int) string {
		receipt, err := PlaceOrder.Call(withToken(t.Context(), d.load.tokens[customer]), d.web.Client, order(), amqprpc.WithCallID("1"))
		require.NoError(t, err)
		return receipt.Order + " " + receipt.Parcel
	}
	require.Equal(t, "customer-0/1 parcel 1", place(0))
	require.Equal(t, "customer-1/1 parcel 2", place(1))
	require.Equal(t, "customer-0/1 parcel 1", place(0))
}

// A source keeps its token, and a token says whom it is about and what they may call.
func TestTokens(t *testing.T) {
	t.Parallel()
	login, err := NewLogin()
	require.NoError(t, err)
	source := login.source("orders", string(Quote))
	token, err := source(t.Context())
	require.NoError(t, err)
	again, err := source(t.Context())
	require.NoError(t, err)
	require.Equal(t, token, again, "a token is kept")
	caller, err := login.verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, Caller{Name: "orders", Queues: []string{string(Quote)}}, caller)
	require.True(t, caller.May(string(Quote)))
	require.False(t, caller.May(string(Reserve)))
	old, err := login.Sign("orders", -time.Second, string(Quote))
	require.NoError(t, err)
	_, err = login.verify(t.Context(), old)
	require.ErrorContains(t, err, "expired")
}
