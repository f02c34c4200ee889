package management

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func (a *api) queues(r *http.Request) (any, error) {
	queues, err := only(a, r, a.b.Queues(), func(q amqptest.QueueInfo) string { return q.VHost })
	all := []object{}
	for _, q := range queues {
		all = append(all, a.describeQueue(q))
	}
	return all, err
}

func (a *api) queue(r *http.Request) (any, error) {
	q, ok := a.b.VHost(r.PathValue("vhost")).Queue(r.PathValue("name"))
	if !ok {
		return nil, errNotFound
	}
	o := a.describeQueue(q)
	consumers := []object{}
	for _, c := range q.Consumers {
		consumers = append(consumers, a.describeConsumer(q, c))
	}
	o["consumer_details"] = consumers
	return o, nil
}

func (a *api) deleteQueue(r *http.Request) (any, error) {
	var conditions []amqptest.Condition
	for name, c := range map[string]amqptest.Condition{"if-empty": amqptest.IfEmpty, "if-unused": amqptest.IfUnused} {
		if r.URL.Query().Get(name) == "true" {
			conditions = append(conditions, c)
		}
	}
	vhost, name := r.PathValue("vhost"), r.PathValue("name")
	err := a.b.VHost(vhost).DeleteQueue(name, conditions...)
	of := "PRECONDITION_FAILED - queue '" + name + "' in vhost '" + vhost + "' "
	switch {
	case errors.Is(err, amqptest.ErrQueueNotEmpty):
		err = &problem{http.StatusBadRequest, "bad_request", of + "not empty"}
	case errors.Is(err, amqptest.ErrQueueInUse):
		err = &problem{http.StatusBadRequest, "bad_request", of + "in use"}
	}
	return nil, err
}

func (a *api) purgeQueue(r *http.Request) (any, error) {
	_, err := a.b.VHost(r.PathValue("vhost")).PurgeQueue(r.PathValue("name"))
	return nil, err
}

func (a *api) describeQueue(q amqptest.QueueInfo) object {
	o := object{
		"name": q.Name, "vhost": q.VHost, "type": q.Type, "durable": q.Durable, "auto_delete": q.AutoDelete, "exclusive": q.Exclusive,
		"arguments": q.Arguments, "node": node, "state": "running", "policy": orNull(q.Policy), "consumers": len(q.Consumers),
		"messages": q.Ready + q.Unacked, "messages_ready": q.Ready, "messages_unacknowledged": q.Unacked,
	}
	if c, ok := a.byID(q.Owner); ok {
		o["owner_pid_details"] = connectionDetails(c)
	}
	return o
}

func (a *api) describeConsumer(q amqptest.QueueInfo, c amqptest.ConsumerInfo) object {
	o := object{
		"queue": object{"name": q.Name, "vhost": q.VHost}, "consumer_tag": c.Tag, "ack_required": !c.NoAck,
		"exclusive": c.Exclusive, "active": c.Active, "prefetch_count": c.Prefetch, "arguments": c.Arguments,
	}
	if conn, ok := a.byID(c.ConnectionID); ok {
		details := connectionDetails(conn)
		o["channel_details"] = object{"connection_name": details["name"], "name": channelName(conn, c.Channel), "number": c.Channel,
			"node": node, "peer_host": details["peer_host"], "peer_port": details["peer_port"], "user": conn.User}
	}
	return o
}

// byID is the open connection of that id.
func (a *api) byID(id uint64) (amqptest.ConnectionInfo, bool) {
	for _, c := range a.b.Connections() {
		if c.ID() == id {
			return c.Info(), true
		}
	}
	return amqptest.ConnectionInfo{}, false
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (a *api) exchanges(r *http.Request) (any, error) {
	exchanges, err := only(a, r, a.b.Exchanges(), func(x amqptest.ExchangeInfo) string { return x.VHost })
	all := []object{}
	for _, x := range exchanges {
		all = append(all, describeExchange(x))
	}
	return all, err
}

func (a *api) exchange(r *http.Request) (any, error) {
	for _, x := range a.b.Exchanges() {
		if x.VHost == r.PathValue("vhost") && x.Name == exchangeName(r.PathValue("name")) {
			return describeExchange(x), nil
		}
	}
	return nil, errNotFound
}

// exchangeName is the name that a path means: the default exchange's is empty.
func exchangeName(s string) string {
	if s == "amq.default" {
		return ""
	}
	return s
}

func describeExchange(x amqptest.ExchangeInfo) object {
	o := object{"name": x.Name, "vhost": x.VHost, "type": x.Type, "durable": x.Durable, "auto_delete": x.AutoDelete,
		"internal": x.Internal, "arguments": x.Arguments}
	if x.Policy != "" {
		o["policy"] = x.Policy
	}
	return o
}

// bindings lists all bindings, or those of the queue or exchange that the path names. Every
// queue is bound to the default exchange by its name.
func (a *api) bindings(r *http.Request) (any, error) {
	all := a.b.Bindings()
	for _, q := range a.b.Queues() {
		all = append(all, amqptest.BindingInfo{VHost: q.VHost, Destination: q.Name, RoutingKey: q.Name, Arguments: object{}})
	}
	all, err := only(a, r, all, func(bd amqptest.BindingInfo) string { return bd.VHost })
	if err != nil {
		return nil, err
	}
	if queue := r.PathValue("queue"); queue != "" {
		if _, ok := a.b.VHost(r.PathValue("vhost")).Queue(queue); !ok {
			return nil, errNotFound
		}
		all = slices.DeleteFunc(all, func(bd amqptest.BindingInfo) bool { return bd.ToExchange || bd.Destination != queue })
	}
	if source := r.PathValue("source"); source != "" {
		all = slices.DeleteFunc(all, func(bd amqptest.BindingInfo) bool { return bd.Exchange != exchangeName(source) })
	}
	if destination := r.PathValue("destination"); destination != "" {
		all = slices.DeleteFunc(all, func(bd amqptest.BindingInfo) bool { return !bd.ToExchange || bd.Destination != destination })
	}
	slices.SortStableFunc(all, func(a, b amqptest.BindingInfo) int { return cmp.Compare(a.VHost, b.VHost) })
	described := []object{}
	for _, bd := range all {
		described = append(described, describeBinding(bd))
	}
	return described, nil
}

func describeBinding(bd amqptest.BindingInfo) object {
	kind, key := "queue", bd.RoutingKey
	if bd.ToExchange {
		kind = "exchange"
	}
	if key == "" {
		key = "~"
	}
	return object{"source": bd.Exchange, "vhost": bd.VHost, "destination": bd.Destination, "destination_type": kind,
		"routing_key": bd.RoutingKey, "arguments": bd.Arguments, "properties_key": key}
}
