package web

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

//go:embed assets
var assets embed.FS

// Config configures a Page. Only Client is required.
type Config struct {
	Client *amqprpc.Client
	Token  string       // who knows it may use the page; "" asks for none
	Hosts  []string     // names under which browsers reach the page, besides localhost and addresses
	Log    *slog.Logger // nil logs nothing
}

// Page is the HTTP side of the page. It is safe for concurrent use.
type Page struct {
	cli     *amqprpc.Client
	source  source
	gate    *gatekeeper
	meter   *meter
	streams *streams
	slots   *slots
	log     *slog.Logger
	mux     http.Handler
}

// New returns a page whose calls go through the client of cfg.
func New(cfg Config) *Page { return newPage(cfg, liveSource(cfg.Client)) }

func newPage(cfg Config, src source) *Page {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Page{
		cli:     cfg.Client,
		source:  src,
		gate:    newGatekeeper(cfg.Token, cfg.Hosts),
		meter:   newMeter(src.stats),
		streams: newStreams(),
		slots:   newSlots(),
		log:     cfg.Log,
	}
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the directory is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(static))
	mux.HandleFunc("POST /api/login", p.gate.login)
	mux.HandleFunc("GET /api/catalog", p.catalog)
	mux.HandleFunc("GET /api/stats", p.stats)
	mux.HandleFunc("POST /api/call", p.call)
	mux.HandleFunc("POST /api/all", p.all)
	mux.HandleFunc("POST /api/stream", p.stream)
	mux.HandleFunc("POST /api/stream/pause", p.pauseStream)
	mux.HandleFunc("POST /api/stream/send", p.sendStream)
	mux.HandleFunc("POST /api/stream/finish", p.finishStream)
	p.mux = p.gate.guard(mux)
	return p
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// connection returns the broker, host and port, and whether there is a connection to it.
func (p *Page) connection() (broker string, connected bool) {
	s := p.cli.Status().Connection
	return s.Broker, s.Connected
}

// Serve serves the page on l until ctx ends. All calls and streams of the page then end. It
// closes l. The error is nil if ctx ended.
func (p *Page) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       smallBuffers,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(within) != nil { // waits for the calls, whose contexts have ended
			srv.Close()
		}
	})
	err := srv.Serve(l)
	if stop() {
		return err
	}
	<-ended
	return nil
}

// smallBuffers keeps what the kernel holds for a browser that reads no more small, because
// the sender of a stream goes on until this memory is full.
func smallBuffers(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(64 << 10) // the default is only larger
	}
	return ctx
}
