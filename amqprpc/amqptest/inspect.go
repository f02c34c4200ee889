package amqptest

import (
	"cmp"
	"slices"
	"time"
)

// QueueInfo describes a queue at one moment.
type QueueInfo struct {
	VHost, Name string
	Type        string // classic or quorum
	Durable     bool
	AutoDelete  bool
	Exclusive   bool
	Arguments   map[string]any // types as in Message.Headers
	Policy      string         // the name of the one that counts; empty for none
	Owner       uint64         // the id of an exclusive queue's connection; zero for none
	Ready       int            // messages that wait
	Unacked     int            // messages that consumers have and have not acknowledged
	Consumers   []ConsumerInfo // the oldest first
	Bindings    []BindingInfo  // but for the one from the default exchange
}

// ConsumerInfo describes a consumer at one moment.
type ConsumerInfo struct {
	Tag          string
	Connection   string // the name that its client gave
	ConnectionID uint64
	Channel      uint16
	Arguments    map[string]any
	NoAck        bool
	Exclusive    bool
	Active       bool // false for one that waits behind a single active consumer
	Prefetch     int  // zero for no limit
	Priority     int64
	Unacked      int
}

// BindingInfo is a binding from an exchange to a queue or, if ToExchange says so, to
// another exchange.
type BindingInfo struct {
	VHost                string
	Exchange, RoutingKey string
	Destination          string
	ToExchange           bool
	Arguments            map[string]any
}

// ExchangeInfo describes an exchange at one moment.
type ExchangeInfo struct {
	VHost, Name string
	Type        string // direct, fanout, topic or headers
	Durable     bool
	AutoDelete  bool
	Internal    bool
	Arguments   map[string]any
	Policy      string // the name of the one that counts; empty for none
}

// ConnectionInfo describes a connection at one moment.
type ConnectionInfo struct {
	ID                    uint64 // a number that no other connection ever has
	Name                  string // that the client gave; empty for none
	RemoteAddr, LocalAddr string // of the client, and of the broker's end
	User, VHost           string
	Opened                time.Time // when the client connected
	TLS                   bool
	Heartbeat             time.Duration // zero for none
	ChannelMax            uint16        // zero for no limit
	FrameMax              uint32
	ClientProperties      map[string]any // types as in Message.Headers
	Channels              []ChannelInfo  // by number
	Blocked               bool           // it was told connection.blocked
}

// ChannelInfo describes a channel at one moment.
type ChannelInfo struct {
	Number         uint16
	Prefetch       int // of consumers to come; zero for no limit
	GlobalPrefetch int // of all of them together; zero for no limit
	Confirms, Tx   bool
	Unacked        int
	Consumers      []string // their tags, the oldest first
}

// Queue is [VHost.Queue] in the virtual host "/".
func (b *Broker) Queue(name string) (QueueInfo, bool) { return b.VHost("/").Queue(name) }

// Queues returns all queues, by virtual host and name.
func (b *Broker) Queues() []QueueInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []QueueInfo
	for _, v := range b.vhosts {
		for _, q := range v.queues {
			all = append(all, q.info())
		}
	}
	slices.SortFunc(all, func(a, b QueueInfo) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Exchanges returns all exchanges, by virtual host and name.
func (b *Broker) Exchanges() []ExchangeInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []ExchangeInfo
	for _, v := range b.vhosts {
		for _, x := range v.exchanges {
			info := ExchangeInfo{VHost: v.name, Name: x.name, Type: x.kind, Durable: x.durable,
				AutoDelete: x.autoDelete, Internal: x.internal, Arguments: publicTable(x.args)}
			if x.policy != nil {
				info.Policy = x.policy.Name
			}
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b ExchangeInfo) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Bindings returns all bindings, by virtual host, exchange, destination and routing key. It
// leaves out those from the default exchange, which every queue has.
func (b *Broker) Bindings() []BindingInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []BindingInfo
	for _, v := range b.vhosts {
		for _, x := range v.exchanges {
			for _, bd := range x.bindings.all() {
				all = append(all, bd.info())
			}
		}
	}
	slices.SortFunc(all, compareBindings)
	return all
}

func (bd *binding) info() BindingInfo {
	info := BindingInfo{VHost: bd.source.vhost.name, Exchange: bd.source.name, RoutingKey: bd.key, Arguments: publicTable(bd.args)}
	if bd.queue != nil {
		info.Destination = bd.queue.name
	} else {
		info.Destination, info.ToExchange = bd.target.name, true
	}
	return info
}

func compareBindings(a, b BindingInfo) int {
	return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.Exchange, b.Exchange),
		cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.RoutingKey, b.RoutingKey))
}

// Messages is [VHost.Messages] in the virtual host "/".
func (b *Broker) Messages(queue string) []Message { return b.VHost("/").Messages(queue) }

func (q *queue) info() QueueInfo {
	info := QueueInfo{
		VHost: q.vhost.name, Name: q.name, Type: "classic",
		Durable: q.durable, AutoDelete: q.autoDelete, Exclusive: q.owner != nil,
		Arguments: publicTable(q.args), Ready: q.ready.n, Unacked: q.unacked,
	}
	if q.opts.quorum {
		info.Type = "quorum"
	}
	if q.policy != nil {
		info.Policy = q.policy.Name
	}
	if q.owner != nil {
		info.Owner = q.owner.id
	}
	for _, c := range q.consumers.all {
		info.Consumers = append(info.Consumers, ConsumerInfo{
			Tag: c.tag, Connection: c.ch.c.name, ConnectionID: c.ch.c.id, Channel: c.ch.id, Arguments: publicTable(c.args), NoAck: c.noAck, Exclusive: c.exclusive,
			Active: !q.opts.single || q.consumers.active == c, Prefetch: c.prefetch, Priority: c.priority, Unacked: c.unacked,
		})
	}
	for bd := range q.incoming {
		info.Bindings = append(info.Bindings, bd.info())
	}
	slices.SortFunc(info.Bindings, compareBindings)
	return info
}

// Info describes the connection.
func (c *Connection) Info() ConnectionInfo {
	in := c.c
	in.b.mu.Lock()
	defer in.b.mu.Unlock()
	info := ConnectionInfo{
		ID: in.id, Name: in.name, RemoteAddr: in.link.RemoteAddr().String(), LocalAddr: in.link.LocalAddr().String(),
		User: in.user, Opened: in.opened, TLS: in.secure, Blocked: in.toldBlocked,
		ChannelMax: in.channelMax, FrameMax: in.frameMax, ClientProperties: publicTable(in.properties),
	}
	if in.vhost != nil {
		info.VHost = in.vhost.name
	}
	if in.beat != nil {
		info.Heartbeat = in.beat.interval
	}
	for _, ch := range in.channels {
		if !ch.closing {
			info.Channels = append(info.Channels, ch.info())
		}
	}
	slices.SortFunc(info.Channels, func(a, b ChannelInfo) int { return cmp.Compare(a.Number, b.Number) })
	return info
}

func (ch *channel) info() ChannelInfo {
	info := ChannelInfo{Number: ch.id, Prefetch: ch.prefetch, GlobalPrefetch: ch.limit,
		Confirms: ch.confirms.on, Tx: ch.tx != nil, Unacked: ch.unacked.n}
	for _, c := range ch.ordered() {
		info.Consumers = append(info.Consumers, c.tag)
	}
	return info
}
