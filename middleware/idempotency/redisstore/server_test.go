package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// envRedis makes a missing redis-server a failure if its value is "require".
const envRedis = "AMQPRPC_REDIS"

// redisServer is a private Redis of one test.
type redisServer struct {
	addr string
	stop func()
}

// startRedis starts a redis-server on a loopback port. It runs until stop is called or
// the test ends, and uses no disk but a temporary directory.
func startRedis(t *testing.T) redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv(envRedis) == "require" {
			require.FailNow(t, "no redis-server", "%s=require: %v", envRedis, err)
		}
		t.Skipf("no redis-server here (Debian's package redis-server has it; %s=require makes this a failure): %v", envRedis, err)
	}
	for attempt := 1; ; attempt++ {
		s, err := tryRedis(t, path)
		if err == nil {
			t.Cleanup(s.stop)
			return s
		}
		require.Less(t, attempt, 5, "redis-server does not start: %v", err) // another process may have taken the port
	}
}

func tryRedis(t *testing.T, path string) (redisServer, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	// The shell kills redis-server when the shell's standard input ends. That happens
	// when this process ends, even if it is killed.
	cmd := exec.Command("sh", "-c", `"$@" & pid=$!; read _; kill $pid; wait $pid`, "sh",
		path, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	life, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s := redisServer{addr: fmt.Sprintf("127.0.0.1:%d", port)}
	s.stop = sync.OnceFunc(func() {
		life.Close()
		_ = cmd.Wait() // the status is that of a killed process
	})
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	c := newClient(t, s.addr)
	for {
		if err = c.Ping(ctx).Err(); err == nil {
			return s, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			s.stop()
			return s, err
		}
	}
}

func newClient(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}
