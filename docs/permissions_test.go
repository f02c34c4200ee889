package docs_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// permissions are the three patterns of a row: configure, write, read.
type permissions [3]string

// permissionRows returns the rows of the page's tables of permissions, by role.
func permissionRows(page []byte) map[string]permissions {
	row := regexp.MustCompile("(?m)^\\| ([^|]*) \\| `(\\^.*)` \\| `(\\^.*)` \\| `(\\^.*)` \\|$")
	rows := make(map[string]permissions)
	for _, m := range row.FindAllSubmatch(page, -1) {
		var p permissions
		for i := range p {
			p[i] = strings.ReplaceAll(string(m[i+2]), `\|`, "|") // a Markdown table must escape |
		}
		rows[string(m[1])] = p
	}
	return rows
}

// without returns the permissions with one alternative of one pattern removed, for each
// alternative.
func (p permissions) without() []permissions {
	var all []permissions
	for i := range p {
		alternatives := strings.Split(p[i], "|")
		if p[i] == "^$" {
			continue
		}
		for j := range alternatives {
			less := p
			less[i] = "^$"
			if rest := slices.Delete(slices.Clone(alternatives), j, j+1); len(rest) > 0 {
				less[i] = strings.Join(rest, "|")
			}
			all = append(all, less)
		}
	}
	return all
}

// The permissions of the operations page are sufficient, and each of them is necessary.
func TestPermissionsOfThePage(t *testing.T) {
	t.Parallel()
	server := func(q amqprpc.Queue) func(ctx context.Context, mine, other string) error {
		return func(ctx context.Context, mine, other string) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			srv := amqprpc.NewServer(mine, amqprpc.WithLogger(nil))
			amqprpc.Register(srv, "orders", func(_ context.Context, n int) (int, error) { return n, nil }, amqprpc.WithQueue(q))
			served := make(chan error, 1)
			go func() { served <- srv.Serve(ctx) }()
			select {
			case <-srv.Ready():
			case err := <-served:
				return err
			}
			err := call(ctx, other)
			cancel()
			<-served
			return err
		}
	}
	client := func(opts ...amqprpc.ClientOption) func(ctx context.Context, mine, other string) error {
		return func(ctx context.Context, mine, _ string) error { return call(ctx, mine, opts...) }
	}
	cancels := func(ctx context.Context, serverURL, clientURL string) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		srv := amqprpc.NewServer(serverURL, amqprpc.WithLogger(nil))
		started, ended := make(chan struct{}), make(chan struct{})
		amqprpc.Register(srv, "orders", func(ctx context.Context, n int) (int, error) {
			close(started)
			<-ctx.Done()
			close(ended)
			return n, nil
		})
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx) }()
		select {
		case <-srv.Ready():
		case err := <-served:
			return err
		}
		cli, err := amqprpc.Dial(ctx, clientURL, amqprpc.WithLogger(nil))
		if err != nil {
			return err
		}
		defer cli.Close()
		time.Sleep(200 * time.Millisecond) // the mailbox opens after the queues, and its declaration may be refused
		calling, giveUp := context.WithCancel(ctx)
		defer giveUp()
		f := amqprpc.Go[int, int](calling, cli, "orders", 1)
		select {
		case <-started:
		case <-f.Done():
			_, err := f.Await(ctx)
			return err
		}
		giveUp()
		select {
		case <-ended:
			return nil
		case <-time.After(500 * time.Millisecond):
			return errors.New("the cancel did not reach the handler")
		}
	}
	roles := map[string]struct {
		run     func(ctx context.Context, mine, other string) error
		queue   amqprpc.Queue // the queue as another user declared it before
		passive bool
		alone   bool // no other server
	}{
		"server of `orders`":                 {run: server(amqprpc.Queue{})},
		"server of `orders`, with `Passive`": {run: server(amqprpc.Queue{Passive: true}), passive: true},
		"server of `orders`, cancels":        {run: func(ctx context.Context, mine, other string) error { return cancels(ctx, mine, other) }},
		"client, cancels":                    {run: func(ctx context.Context, mine, other string) error { return cancels(ctx, other, mine) }, alone: true},
		"client, resumable":                  {run: client()},
		"client, exclusive":                  {run: client(amqprpc.WithReplyMode(amqprpc.ReplyExclusive))},
		"client, direct reply-to":            {run: client(amqprpc.WithReplyMode(amqprpc.ReplyDirect))},
		"server of `orders`, bounces":        {run: server(amqprpc.Queue{Bounce: true})},
		"client, bounces":                    {run: client(amqprpc.WithBounce()), queue: amqprpc.Queue{Bounce: true}},
	}
	rows := permissionRows(pages(t)["docs/operations.md"])
	require.Len(t, rows, len(roles))
	for who, role := range roles {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			enough, ok := rows[who]
			require.True(t, ok, "no row for %q: %v", who, rows)
			try := func(p permissions) error {
				broker := amqptest.NewBroker(amqptest.WithUser("all", "secret"), amqptest.WithUser("least", "secret"), amqptest.WithPermissions("least", p[0], p[1], p[2]))
				defer broker.Close()
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				mine, other := "amqp://least:secret@"+broker.Addr()+"/", "amqp://all:secret@"+broker.Addr()+"/"
				if strings.HasPrefix(who, "server") && !role.passive || role.alone { // the broker needs more permissions if the queue does not exist yet
					return role.run(ctx, mine, other)
				}
				srv := amqprpc.NewServer(other, amqprpc.WithLogger(nil))
				amqprpc.Register(srv, "orders", func(_ context.Context, n int) (int, error) { return n, nil }, amqprpc.WithQueue(role.queue))
				served := make(chan error, 1)
				serving, stop := context.WithCancel(ctx)
				go func() { served <- srv.Serve(serving) }()
				select {
				case <-srv.Ready():
				case err := <-served:
					require.NoError(t, err)
				}
				if role.passive {
					stop() // the server of role.run must answer
					<-served
				}
				err := role.run(ctx, mine, other)
				stop()
				return err
			}
			require.NoError(t, try(enough))
			for _, less := range enough.without() {
				err := try(less)
				require.Error(t, err, "%v of %v would do", less, enough)
				require.NotErrorIs(t, err, context.DeadlineExceeded, "what cannot succeed is said at once")
			}
		})
	}
}

// call makes a client and one call.
func call(ctx context.Context, url string, opts ...amqprpc.ClientOption) error {
	cli, err := amqprpc.Dial(ctx, url, append(opts, amqprpc.WithLogger(nil))...)
	if err != nil {
		return err
	}
	defer cli.Close()
	_, err = amqprpc.Call[int, int](ctx, cli, "orders", 1)
	return err
}
