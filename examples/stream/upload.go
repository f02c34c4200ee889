package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Row is one line of a stock list.
type Row struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// Summary is the answer to a whole list.
type Summary struct {
	Rows  int `json:"rows"`
	Items int `json:"items"`
}

// Import is the contract of the upload: any number of messages, one reply.
const Import amqprpc.ClientStream[Row, Summary] = "examples.import"

// warehouse takes uploads.
type warehouse struct {
	failed chan error // why an upload was thrown away
}

func newWarehouse() *warehouse { return &warehouse{failed: make(chan error, 1)} }

// load reads all rows before it takes any of them. Its loop ends without an error only if
// the caller has sent everything.
func (w *warehouse) load(_ context.Context, in *amqprpc.Receiver[Row]) (Summary, error) {
	var s Summary
	for row, err := range in.All() {
		if err != nil {
			w.failed <- err
			return Summary{}, err // nothing of the list counts
		}
		s.Rows++
		s.Items += row.Count
	}
	return s, nil
}

// rows reads a list line by line, as it is sent.
func rows(list io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		lines := bufio.NewScanner(list)
		for lines.Scan() {
			var r Row
			if _, err := fmt.Sscanf(lines.Text(), "%s %d", &r.Item, &r.Count); err != nil {
				yield(Row{}, fmt.Errorf("%q is no row", lines.Text()))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil { // half of a list is no list
			yield(Row{}, err)
		}
	}
}

// importStock uploads a list with a mistake, and then the corrected list.
func importStock(ctx context.Context, cli *amqprpc.Client, w *warehouse, out io.Writer) error {
	fmt.Fprintln(out, "An upload")
	_, err := Import.Call(ctx, cli, rows(strings.NewReader("tea 3\nmilk 2\nsugar many\n")))
	fmt.Fprintln(out, "  the caller:", err)
	fmt.Fprintln(out, "  the handler throws the upload away:", amqprpc.CodeOf(<-w.failed))

	s, err := Import.Call(ctx, cli, rows(strings.NewReader("tea 3\nmilk 2\nsugar 9\n")))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  the corrected list: %d rows, %d items\n", s.Rows, s.Items)
	return nil
}
