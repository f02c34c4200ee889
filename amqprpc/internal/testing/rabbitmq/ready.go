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

// notifySocket is where the broker says that it is ready, in the node's directory.
const notifySocket = "notify"

// readiness listens for the broker's word that it is ready, which it gives as systemd's
// services do (sd_notify(3)). Its TCP listener opens earlier, and in between a 4.0 loses
// replies by direct reply-to: to itself the node does not count as running yet.
type readiness struct {
	conn *net.UnixConn
}

func listenForReady(path string) (readiness, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by an earlier boot
		return readiness{}, fmt.Errorf("rabbitmq: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return readiness{}, fmt.Errorf("rabbitmq: listen for readiness: %w", err)
	}
	return readiness{conn}, nil
}

var errNotReady = errors.New("the broker has not said that it is ready")

// check waits a moment for the word.
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
