package web

import (
	"context"
	"iter"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
)

// source asks all live servers. An error is of one server, or the last pair. Tests have
// sources of their own.
type source struct {
	infos func(context.Context) iter.Seq2[describe.Info, error]
	stats func(context.Context) iter.Seq2[describe.Stats, error]
}

func liveSource(cli *amqprpc.Client) source {
	return source{
		infos: func(ctx context.Context) iter.Seq2[describe.Info, error] { return discovery.Info(ctx, cli) },
		stats: func(ctx context.Context) iter.Seq2[describe.Stats, error] { return discovery.Stats(ctx, cli) },
	}
}
