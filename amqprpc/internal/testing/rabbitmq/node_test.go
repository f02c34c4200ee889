package rabbitmq

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func dial(t *testing.T, url string) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // some tests have closed it
	ch, err := conn.Channel()
	require.NoError(t, err)
	return conn, ch
}

// greet succeeds if an AMQP broker answers a protocol header.
func greet(ctx context.Context, port int) error {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		require.True(t, ok, "%s: channel closed", what)
		return v
	case <-time.After(30 * time.Second):
		require.FailNow(t, "waited in vain for "+what)
		panic("unreachable")
	}
}

// TestNode tests all commands on one node, because a boot for each would take minutes.
func TestNode(t *testing.T) {
	t.Parallel()
	cfg := needBroker(t)
	n := startNodeFor(t, cfg)
	ctx := t.Context()

	version, err := n.Ctl(ctx, "version")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(version, cfg.Version+"."), version)
	_, err = n.Ctl(ctx, "no_such_command")
	require.ErrorContains(t, err, "no_such_command")

	closeAllConnections(t, n)
	memoryAlarm(t, n)
	pauseAndResume(t, n)
	stopAndStartApp(t, n)
	crashAndRestart(t, n)

	pid, epmdPID, dir := n.PID(), n.epmd.process.pid(), n.dir
	require.NoError(t, n.Stop())
	require.NoError(t, n.Stop(), "a second time")
	require.Zero(t, n.PID())
	require.True(t, gone(pid), "the broker is still there")
	require.True(t, gone(epmdPID), "its epmd is still there")
	require.NoDirExists(t, dir)
	require.ErrorContains(t, n.Restart(ctx), "after Stop")
}

func closeAllConnections(t *testing.T, n *Node) {
	conn, _ := dial(t, n.URL())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, n.CloseAllConnections(t.Context(), "maintenance"))
	why := receive(t, "connection.close", closed)
	require.Equal(t, amqp.ConnectionForced, why.Code)
	require.Contains(t, why.Reason, "maintenance")
}

func memoryAlarm(t *testing.T, n *Node) {
	ctx := t.Context()
	conn, ch := dial(t, n.URL())
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	require.NoError(t, n.SetMemoryAlarm(ctx, true))
	require.NoError(t, ch.PublishWithContext(ctx, "", "nowhere", false, false, amqp.Publishing{}))
	require.True(t, receive(t, "connection.blocked", blocked).Active)
	require.NoError(t, n.SetMemoryAlarm(ctx, false))
	require.False(t, receive(t, "connection.unblocked", blocked).Active)
	require.NoError(t, conn.Close())
}

func pauseAndResume(t *testing.T, n *Node) {
	require.NoError(t, n.Pause())
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, greet(short, n.Port()), "a paused broker answered")
	require.NoError(t, n.Resume())
	_, ch := dial(t, n.URL())
	require.NoError(t, ch.Close())
}

func stopAndStartApp(t *testing.T, n *Node) {
	conn, _ := dial(t, n.URL())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, n.StopApp(t.Context()))
	// A busy 3.10 may close the socket before the client has read connection.close. The
	// driver then reports a frame error.
	require.Contains(t, []int{amqp.ConnectionForced, amqp.FrameError}, receive(t, "the end of the connection", closed).Code)
	require.ErrorIs(t, greet(t.Context(), n.Port()), syscall.ECONNREFUSED)
	require.NoError(t, n.StartApp(t.Context()))
	require.NoError(t, greet(t.Context(), n.Port()))
}

func crashAndRestart(t *testing.T, n *Node) {
	ctx := t.Context()
	conn, ch := dial(t, n.URL())
	_, err := ch.QueueDeclare("kept", true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	for i, mode := range []uint8{amqp.Transient, amqp.Persistent} {
		sure, err := ch.PublishWithDeferredConfirm("", "kept", true, false,
			amqp.Publishing{DeliveryMode: mode, Body: []byte(strconv.Itoa(i))})
		require.NoError(t, err)
		ack, err := sure.WaitContext(ctx)
		require.NoError(t, err)
		require.True(t, ack)
	}

	require.NoError(t, n.Sync(ctx))
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	port, pid := n.Port(), n.PID()
	require.NotZero(t, pid)
	require.NoError(t, n.Kill())
	require.Zero(t, n.PID())
	receive(t, "the end of the connection", closed)

	keptOnly := func() {
		require.Equal(t, port, n.Port())
		_, ch := dial(t, n.URL())
		q, err := ch.QueueDeclarePassive("kept", true, false, false, false, nil)
		require.NoError(t, err)
		require.Equal(t, 1, q.Messages)
		m, ok, err := ch.Get("kept", false)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "1", string(m.Body), "the persistent one")
	}
	require.NoError(t, n.Restart(ctx), "after a crash")
	require.NotEqual(t, pid, n.PID())
	keptOnly()
	pid = n.PID()
	require.NoError(t, n.Restart(ctx), "of a running node")
	require.NotEqual(t, pid, n.PID())
	keptOnly()
	log, err := n.Log()
	require.NoError(t, err)
	require.True(t, strings.Contains(log, "started TCP listener"), "the log lacks the listener's line")
}

func TestBadConfigurationShowsTheLog(t *testing.T) {
	t.Parallel()
	cfg := needBroker(t)
	cfg.Conf = []string{"heartbeat = often"}
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, "the end of its log")
	require.ErrorContains(t, err, "heartbeat")
}

func TestExtraConfiguration(t *testing.T) {
	t.Parallel()
	cfg := needBroker(t)
	cfg.Conf = []string{"heartbeat = 7", "default_user = somebody", "default_pass = else"}
	n := startNodeFor(t, cfg)
	conn, err := amqp.Dial(strings.Replace(n.URL(), "guest:guest", "somebody:else", 1))
	require.NoError(t, err)
	require.Equal(t, 7*time.Second, conn.Config.Heartbeat)
	require.NoError(t, conn.Close())
}

const envChild = "AMQPRPC_TEST_START_AND_HANG"

// TestNodeDiesWithItsProgram kills a program that runs a node, and checks that nothing of
// the node is left.
func TestNodeDiesWithItsProgram(t *testing.T) {
	t.Parallel()
	cfg := needBroker(t)
	if os.Getenv(envChild) != "" {
		n := startNodeFor(t, cfg)
		fmt.Printf("pids %d %d %s\n", n.PID(), n.epmd.process.pid(), n.dir)
		select {} // until killed
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNodeDiesWithItsProgram$", "-test.v")
	cmd.Env = append(os.Environ(), envChild+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var pids [2]int
	var dir string
	lines := bufio.NewScanner(out)
	for pids[0] == 0 && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "pids %d %d %s", &pids[0], &pids[1], &dir)
	}
	require.NotZero(t, pids[0], "the child started no node")
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // "signal: killed"
	require.Eventually(t, func() bool { return gone(pids[0]) && gone(pids[1]) }, 10*time.Second, 20*time.Millisecond)
}

// gone reports whether a process has ended. A zombie has ended: its new parent may be slow
// to reap it.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cfg := needBroker(t)
	ctx := t.Context()
	c, err := StartCluster(ctx, 3, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	require.Len(t, c.URLs(), 3)

	_, ch := dial(t, c.URLs()[0])
	_, err = ch.QueueDeclare("shared", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	sure, err := ch.PublishWithDeferredConfirm("", "shared", true, false, amqp.Publishing{Body: []byte("one")})
	require.NoError(t, err)
	ack, err := sure.WaitContext(ctx)
	require.NoError(t, err)
	require.True(t, ack)

	// Without one node of three, the queue lives on the other two.
	require.NoError(t, c.Nodes[0].Kill())
	_, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", c.Nodes[0].Port()), time.Second)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, other := dial(t, c.URLs()[1])
	require.Eventually(t, func() bool {
		m, ok, err := other.Get("shared", true)
		if err != nil {
			_, other = dial(t, c.URLs()[1]) // the election has not finished
		}
		return err == nil && ok && string(m.Body) == "one"
	}, time.Minute, 200*time.Millisecond)
}
