package management

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// open are the connections that have come so far as to have a virtual host.
func (a *api) open(r *http.Request) ([]amqptest.ConnectionInfo, error) {
	var all []amqptest.ConnectionInfo
	for _, c := range a.b.Connections() {
		if info := c.Info(); info.VHost != "" {
			all = append(all, info)
		}
	}
	return only(a, r, all, func(c amqptest.ConnectionInfo) string { return c.VHost })
}

func (a *api) connections(r *http.Request) (any, error) {
	conns, err := a.open(r)
	all := []object{}
	for _, c := range conns {
		all = append(all, describeConnection(c))
	}
	return all, err
}

// find is the connection that the request's path names.
func (a *api) find(name string) (*amqptest.Connection, error) {
	all := a.b.Connections()
	i := slices.IndexFunc(all, func(c *amqptest.Connection) bool { return connectionName(c.Info()) == name })
	if i < 0 {
		return nil, errNotFound
	}
	return all[i], nil
}

func (a *api) connection(r *http.Request) (any, error) {
	c, err := a.find(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return describeConnection(c.Info()), nil
}

// closeConnection closes a connection. The header X-Reason becomes the text.
func (a *api) closeConnection(r *http.Request) (any, error) {
	c, err := a.find(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	reason := r.Header.Get("X-Reason")
	if reason == "" {
		reason = "Closed via management plugin"
	}
	c.Close(reason)
	return nil, nil
}

// connectionName is how RabbitMQ calls a connection.
func connectionName(c amqptest.ConnectionInfo) string { return c.RemoteAddr + " -> " + c.LocalAddr }

func describeConnection(c amqptest.ConnectionInfo) object {
	state := "running"
	if c.Blocked {
		state = "blocked"
	}
	host, port := split(c.LocalAddr)
	peerHost, peerPort := split(c.RemoteAddr)
	o := object{
		"name": connectionName(c), "user": c.User, "vhost": c.VHost, "protocol": "AMQP 0-9-1", "type": "network", "node": node,
		"host": host, "port": port, "peer_host": peerHost, "peer_port": peerPort, "ssl": c.TLS, "state": state,
		"channels": len(c.Channels), "channel_max": c.ChannelMax, "frame_max": c.FrameMax,
		"timeout": int(c.Heartbeat.Seconds()), "connected_at": c.Opened.UnixMilli(), "client_properties": c.ClientProperties,
	}
	if c.Name != "" {
		o["user_provided_name"] = c.Name
	}
	return o
}

func split(addr string) (host string, port int) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, 0
	}
	port, _ = strconv.Atoi(text)
	return host, port
}

func channelName(c amqptest.ConnectionInfo, number uint16) string {
	return fmt.Sprintf("%s (%d)", connectionName(c), number)
}

func (a *api) channels(r *http.Request) (any, error) {
	conns, err := a.open(r)
	if err != nil {
		return nil, err
	}
	if name := r.PathValue("connection"); name != "" {
		c, err := a.find(name)
		if err != nil {
			return nil, err
		}
		conns = []amqptest.ConnectionInfo{c.Info()}
	}
	all := []object{}
	for _, c := range conns {
		for _, ch := range c.Channels {
			all = append(all, a.describeChannel(c, ch))
		}
	}
	return all, nil
}

func (a *api) channel(r *http.Request) (any, error) {
	conns, err := a.open(r)
	for _, c := range conns {
		for _, ch := range c.Channels {
			if channelName(c, ch.Number) == r.PathValue("name") {
				return a.describeChannel(c, ch), nil
			}
		}
	}
	if err == nil {
		err = errNotFound
	}
	return nil, err
}

func (a *api) describeChannel(c amqptest.ConnectionInfo, ch amqptest.ChannelInfo) object {
	o := object{
		"name": channelName(c, ch.Number), "number": ch.Number, "user": c.User, "vhost": c.VHost, "node": node, "state": "running",
		"connection_details": connectionDetails(c),
		"prefetch_count":     ch.Prefetch,
		"confirm":            ch.Confirms, "transactional": ch.Tx,
		"consumer_count": len(ch.Consumers), "messages_unacknowledged": ch.Unacked,
	}
	if a.b.Follows() == amqptest.RabbitMQ310 {
		o["global_prefetch_count"] = ch.GlobalPrefetch
	}
	return o
}

func connectionDetails(c amqptest.ConnectionInfo) object {
	host, port := split(c.RemoteAddr)
	return object{"name": connectionName(c), "peer_host": host, "peer_port": port}
}
