package rabbitmq

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are below the kernel's range for outgoing connections (32768 and up on Linux), so
// a node's port is still free when it restarts.
const (
	firstPort = 20000
	lastPort  = 31999
)

// freePorts returns n different loopback ports that nothing listens on now. Another
// process may still take one of them before the node does. Then the boot fails, and
// Start tries again.
func freePorts(n int) ([]int, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	var ports []int
	for range 100 * n {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		held = append(held, l)
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("rabbitmq: no free loopback port found")
}
