package amqprpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The deadline of a call is the deadline of its ctx or its WithTimeout, whichever is earlier.
// The client's WithTimeout counts only if the call has neither.
func TestDeadlineOfACall(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	left := make(chan time.Duration, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, _ int) (int, error) {
			deadline, _ := ctx.Deadline()
			left <- time.Until(deadline)
			return 0, nil
		})
	})
	cli := dial(t, url, amqprpc.WithTimeout(3*time.Minute))
	for name, tt := range map[string]struct {
		ctx, option, want time.Duration // 0 is none
		view              bool          // the option is that of a view
	}{
		"neither":                       {want: 3 * time.Minute},
		"ctx, later than the client's":  {ctx: 10 * time.Minute, want: 10 * time.Minute},
		"ctx, earlier":                  {ctx: time.Minute, want: time.Minute},
		"option, later than the client": {option: 10 * time.Minute, want: 10 * time.Minute},
		"option, earlier":               {option: time.Minute, want: time.Minute},
		"ctx before option":             {ctx: time.Minute, option: 10 * time.Minute, want: time.Minute},
		"option before ctx":             {ctx: 10 * time.Minute, option: time.Minute, want: time.Minute},
		"option of a view before ctx":   {ctx: 10 * time.Minute, option: time.Minute, want: time.Minute, view: true},
	} {
		ctx := context.Background()
		if tt.ctx > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, tt.ctx)
			defer cancel()
		}
		caller, opts := cli, []amqprpc.CallOption{}
		switch {
		case tt.view:
			caller = cli.With(amqprpc.WithTimeout(tt.option))
		case tt.option > 0:
			opts = append(opts, amqprpc.WithTimeout(tt.option))
		}
		_, err := amqprpc.Call[int, int](ctx, caller, queue, 1, opts...)
		require.NoError(t, err, name)
		require.InDelta(t, tt.want, <-left, float64(5*time.Second), name)
	}
}
