package codec_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// order is a typical message of a service: mostly strings and numbers, some of them nested.
type order struct {
	ID       string            `json:"id"`
	Customer customer          `json:"customer"`
	Created  time.Time         `json:"created"`
	Paid     bool              `json:"paid"`
	Total    float64           `json:"total"`
	Lines    []orderLine       `json:"lines"`
	Labels   map[string]string `json:"labels,omitempty"`
	Note     *string           `json:"note,omitempty"`
}

type customer struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

type orderLine struct {
	SKU      string  `json:"sku"`
	Title    string  `json:"title"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

// newOrder returns an order with this number of lines. Nine lines are about 1 KiB of JSON.
func newOrder(lines int) order {
	note := "leave it with the neighbour"
	o := order{
		ID:       "0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11",
		Customer: customer{ID: 814_722_119, Name: "Grace Hopper", Email: "grace@example.org"},
		Created:  time.Date(2026, 3, 14, 15, 9, 26, 535_897_932, time.UTC),
		Paid:     true,
		Total:    1234.56,
		Labels:   map[string]string{"channel": "web", "country": "NL", "campaign": "spring"},
		Note:     &note,
	}
	for i := range lines {
		o.Lines = append(o.Lines, orderLine{
			SKU: fmt.Sprintf("SKU-%05d", i), Title: strings.Repeat("wool ", 3) + "socks",
			Quantity: i%7 + 1, Price: 9.95 + float64(i),
		})
	}
	return o
}

func BenchmarkMarshal(b *testing.B) {
	small, big := newOrder(9), newOrder(1250)
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		for _, v := range []struct {
			name  string
			value any
		}{{"int", 832040}, {"1KiB", &small}, {"100KiB", &big}} {
			b.Run(shortName(c)+"/"+v.name, func(b *testing.B) {
				body, err := c.Marshal(v.value)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Marshal(v.value); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		b.Run(shortName(c)+"/int", func(b *testing.B) { benchmarkUnmarshal[int](b, c, 832040) })
		b.Run(shortName(c)+"/1KiB", func(b *testing.B) { benchmarkUnmarshal[order](b, c, newOrder(9)) })
		b.Run(shortName(c)+"/100KiB", func(b *testing.B) { benchmarkUnmarshal[order](b, c, newOrder(1250)) })
	}
}

func benchmarkUnmarshal[T any](b *testing.B, c codec.Codec, value any) {
	body, err := c.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		v := new(T)
		if err := c.Unmarshal(body, v); err != nil {
			b.Fatal(err)
		}
	}
}

func shortName(c codec.Codec) string {
	return strings.TrimPrefix(c.ContentType(), "application/")
}

func BenchmarkLookup(b *testing.B) {
	r, err := codec.NewRegistry(codec.JSON{}, codec.MsgPack{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Lookup("application/msgpack"); !ok {
			b.Fatal("not found")
		}
	}
}
