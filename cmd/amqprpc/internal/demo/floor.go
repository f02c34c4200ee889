package demo

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The contracts of the shop floor.
const (
	watchPrices amqprpc.ServerStream[Watch, Price] = "prices.watch"
	chat        amqprpc.BidiStream[Line, Line]     = "support.chat"
)

// Watch says which prices somebody wants to see.
type Watch struct {
	SKUs       []string `json:"skus" jsonschema:"minItems=1,maxItems=10"`
	IntervalMS int      `json:"interval_ms" jsonschema:"minimum=0,maximum=10000,description=0 is as fast as you read"`
}

// Price is a price at one moment.
type Price struct {
	SKU   string    `json:"sku"`
	Cents int64     `json:"cents"`
	At    time.Time `json:"at"`
}

// Line is what one side says.
type Line struct {
	From string `json:"from"`
	Text string `json:"text" jsonschema:"maxLength=500"`
}

func registerFloor(srv *amqprpc.Server) {
	watchPrices.Register(srv, prices,
		amqprpc.WithDoc("Sends the prices of some articles as they change. The stream ends when you do not want it any more."),
		amqprpc.WithExample(Watch{SKUs: []string{"TEA-104", "CUP-7"}, IntervalMS: 300}),
		amqprpc.WithErrors(amqprpc.CodeInvalidArgument))
	chat.Register(srv, support,
		amqprpc.WithDoc("Talks with the support of the shop, which answers each line."),
		amqprpc.WithExample(Line{From: "ada", Text: "Where is my tea?"}))
}

func prices(ctx context.Context, w Watch, out *amqprpc.Sender[Price]) error {
	if len(w.SKUs) == 0 {
		return amqprpc.Errorf(amqprpc.CodeInvalidArgument, "the request names no articles")
	}
	for i := 0; ; i++ {
		sku := w.SKUs[i%len(w.SKUs)]
		p := Price{SKU: sku, Cents: priceOf(sku) + int64(rand.IntN(41)) - 20, At: time.Now().UTC()}
		if err := out.Send(p); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(w.IntervalMS)*time.Millisecond); err != nil {
			return err
		}
	}
}

func support(ctx context.Context, in *amqprpc.Receiver[Line], out *amqprpc.Sender[Line]) error {
	if err := out.Send(Line{From: "support", Text: "Hello, what can we do for you?"}); err != nil {
		return err
	}
	for line, err := range in.All() {
		if err != nil {
			return err
		}
		if err := pause(ctx, 400*time.Millisecond); err != nil {
			return err
		}
		if err := out.Send(Line{From: "support", Text: reply(line.Text)}); err != nil {
			return err
		}
	}
	return out.Send(Line{From: "support", Text: "Goodbye."})
}

func reply(text string) string {
	switch {
	case strings.Contains(strings.ToLower(text), "where"):
		return "It is on its way."
	case strings.HasSuffix(text, "?"):
		return "We shall find out."
	default:
		return "Thank you for telling us."
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
