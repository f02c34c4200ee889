package web

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testchromium"
)

// A server that comes or goes is seen on the page, without a click.
func TestServersComeAndGoInTheBrowser(t *testing.T) {
	t.Parallel()
	url, queue := testbroker.URL(t, node), testbroker.Queue(t, "")
	serveOne := func() (stop func()) {
		srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithService(amqprpc.Service{Name: "halves"}))
		amqprpc.Register(srv, queue, half, amqprpc.WithExample(8))
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx) }()
		select {
		case <-srv.Ready():
		case err := <-served:
			require.NoError(t, err)
		}
		return func() {
			cancel()
			require.NoError(t, <-served)
		}
	}
	stop := serveOne()
	p := New(Config{Client: dial(t, url)})
	s := serve(t, p)
	w := testchromium.Open(t, s.URL, 1280, 900)
	in := func(text string) string {
		return `[...document.querySelectorAll('.service')].some((e) => e.innerText.includes('halves') && e.innerText.includes('` + text + `'))`
	}
	w.Until(in("1 instance"))
	stopSecond := serveOne()
	w.Until(in("2 instances"))
	stop()
	w.Until(in("1 instance") + " && !" + in("2 instances"))
	stopSecond()
	w.Until("!" + in("instance"))
}
