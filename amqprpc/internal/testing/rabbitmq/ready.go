package rabbitmq

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// notifySocket is the name of the socket, in the node's directory, on which the broker
// reports that it is ready.
const notifySocket = "notify"

// readiness waits for the broker to report that it is ready, by sd_notify(3). The
// broker opens its TCP port earlier, but a 4.0 loses direct replies until it is ready,
// because the node does not count itself as running yet.
type readiness struct {
	conn *net.UnixConn
}

func listenForReady(path string) (readiness, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // an earlier boot may have left it
		return readiness{}, fmt.Errorf("rabbitmq: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return readiness{}, fmt.Errorf("rabbitmq: listen for readiness: %w", err)
	}
	return readiness{conn}, nil
}

var errNotReady = errors.New("the broker has not said that it is ready")

// check waits up to 100 ms for the report.
func (r readiness) check() error {
	if err := r.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return err
	}
	var b [4096]byte
	n, err := r.conn.Read(b[:])
	if err != nil || !bytes.Contains(b[:n], []byte("READY=1")) {
		return errNotReady
	}
	return nil
}

func (r readiness) close() { _ = r.conn.Close() }
