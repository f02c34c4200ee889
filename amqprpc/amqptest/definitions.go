package amqptest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// definitions is a definitions file, as far as the broker understands it
// (https://www.rabbitmq.com/docs/definitions). Topic permissions, parameters and limits are
// ignored.
type definitions struct {
	Users []struct {
		Name      string          `json:"name"`
		Password  string          `json:"password"`
		Hash      string          `json:"password_hash"`
		Algorithm string          `json:"hashing_algorithm"`
		Tags      json.RawMessage `json:"tags"` // a list or, before 3.9, a text with commas
	} `json:"users"`
	VHosts []struct {
		Name        string `json:"name"`
		DefaultType string `json:"default_queue_type"`
		Metadata    struct {
			DefaultType string `json:"default_queue_type"`
		} `json:"metadata"`
	} `json:"vhosts"`
	Permissions []struct {
		User      string `json:"user"`
		VHost     string `json:"vhost"`
		Configure string `json:"configure"`
		Write     string `json:"write"`
		Read      string `json:"read"`
	} `json:"permissions"`
	Policies []struct {
		VHost      string         `json:"vhost"`
		Name       string         `json:"name"`
		Pattern    string         `json:"pattern"`
		ApplyTo    string         `json:"apply-to"`
		Priority   int            `json:"priority"`
		Definition map[string]any `json:"definition"`
	} `json:"policies"`
	Queues []struct {
		VHost      string         `json:"vhost"`
		Name       string         `json:"name"`
		Type       string         `json:"type"`
		Durable    bool           `json:"durable"`
		AutoDelete bool           `json:"auto_delete"`
		Arguments  map[string]any `json:"arguments"`
	} `json:"queues"`
	Exchanges []struct {
		VHost      string         `json:"vhost"`
		Name       string         `json:"name"`
		Type       string         `json:"type"`
		Durable    bool           `json:"durable"`
		AutoDelete bool           `json:"auto_delete"`
		Internal   bool           `json:"internal"`
		Arguments  map[string]any `json:"arguments"`
	} `json:"exchanges"`
	Bindings []struct {
		VHost           string         `json:"vhost"`
		Source          string         `json:"source"`
		Destination     string         `json:"destination"`
		DestinationType string         `json:"destination_type"`
		RoutingKey      string         `json:"routing_key"`
		Arguments       map[string]any `json:"arguments"`
	} `json:"bindings"`
}

// ImportDefinitions adds the users, virtual hosts, permissions, policies, queues, exchanges
// and bindings of a RabbitMQ definitions file, in that order. It replaces users, permissions
// and policies of the same name, and leaves existing queues, exchanges and bindings as they
// are. It stops at the first entry that the broker cannot make; the error names that entry.
func (b *Broker) ImportDefinitions(r io.Reader) error {
	var d definitions
	if err := json.NewDecoder(r).Decode(&d); err != nil {
		return fmt.Errorf("amqptest: definitions: %w", err)
	}
	for _, step := range []func(*definitions) error{b.importUsers, b.importVHosts, b.importPermissions, b.importPolicies,
		b.importQueues, b.importExchanges, b.importBindings} {
		if err := step(&d); err != nil {
			return fmt.Errorf("amqptest: definitions: %w", err)
		}
	}
	return nil
}

func (b *Broker) importUsers(d *definitions) error {
	for _, u := range d.Users {
		var tags []string
		if json.Unmarshal(u.Tags, &tags) != nil {
			var text string
			_ = json.Unmarshal(u.Tags, &text)
			tags = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		}
		if u.Hash == "" {
			b.SetUser(u.Name, u.Password, tags...)
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(u.Hash)
		if err != nil {
			return fmt.Errorf("user %q: the password's hash: %w", u.Name, err)
		}
		hashed, err := newHashedPassword(u.Algorithm, sum)
		if err != nil {
			return fmt.Errorf("user %q: %w", u.Name, err)
		}
		b.mu.Lock()
		a := b.stranger(u.Name)
		a.password, a.hashed, a.tags = "", hashed, tags
		b.mu.Unlock()
	}
	return nil
}

func (b *Broker) importVHosts(d *definitions) error {
	for _, v := range d.VHosts {
		b.AddVHost(v.Name)
		kind := v.DefaultType
		if kind == "" {
			kind = v.Metadata.DefaultType
		}
		if kind == "" || kind == "undefined" {
			continue
		}
		if err := b.VHost(v.Name).SetDefaultQueueType(kind); err != nil {
			return fmt.Errorf("virtual host %q: %w", v.Name, err)
		}
	}
	return nil
}

func (b *Broker) importPermissions(d *definitions) error {
	for _, p := range d.Permissions {
		if err := b.SetPermissions(p.VHost, p.User, p.Configure, p.Write, p.Read); err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) importPolicies(d *definitions) error {
	for _, p := range d.Policies {
		err := b.VHost(p.VHost).SetPolicy(Policy{Name: p.Name, Pattern: p.Pattern, ApplyTo: p.ApplyTo, Priority: p.Priority, Definition: p.Definition})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) importQueues(d *definitions) error {
	for _, q := range d.Queues {
		args, err := tableOf(q.Arguments)
		if _, named := args.Lookup("x-queue-type"); !named && q.Type != "" && q.Type != "classic" {
			args = append(args, frame.Field{Key: "x-queue-type", Value: q.Type})
		}
		m := &frame.QueueDeclare{Queue: q.Name, Durable: q.Durable, AutoDelete: q.AutoDelete, Arguments: args}
		err = errors.Join(err, b.define(q.VHost, func(v *vhost) *exception {
			if v.queues[q.Name] != nil {
				return nil
			}
			v.defaultQueueType(m)
			made, ex := v.newQueue(q.Name, m)
			if ex == nil {
				v.queues[q.Name] = made
				made.restartExpiry()
			}
			return ex
		}))
		if err != nil {
			return fmt.Errorf("queue %q: %w", q.Name, err)
		}
	}
	return nil
}

func (b *Broker) importExchanges(d *definitions) error {
	for _, x := range d.Exchanges {
		args, err := tableOf(x.Arguments)
		err = errors.Join(err, b.define(x.VHost, func(v *vhost) *exception {
			if v.exchanges[x.Name] != nil {
				return nil
			}
			if !isExchangeKind(x.Type) {
				return fail(preconditionFailed, "unknown exchange type '%s'", x.Type)
			}
			made, ex := v.makeExchange(x.Name, &frame.ExchangeDeclare{Exchange: x.Name, Type: x.Type, Durable: x.Durable,
				AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: args})
			if ex == nil {
				v.exchanges[x.Name] = made
			}
			return ex
		}))
		if err != nil {
			return fmt.Errorf("exchange %q: %w", x.Name, err)
		}
	}
	return nil
}

func (b *Broker) importBindings(d *definitions) error {
	for _, bd := range d.Bindings {
		args, err := tableOf(bd.Arguments)
		err = errors.Join(err, b.define(bd.VHost, func(v *vhost) *exception {
			x, q, target := v.exchanges[bd.Source], v.queues[bd.Destination], v.exchanges[bd.Destination]
			if bd.DestinationType == "exchange" {
				q = nil
			} else {
				target = nil
			}
			if x == nil || q == nil && target == nil {
				return fail(notFound, "no %s to bind to %s", v.exchangeName(bd.Source), bd.Destination)
			}
			if ex := checkHeadersBinding(args); ex != nil && x.kind == "headers" {
				return ex
			}
			x.bind(q, target, bd.RoutingKey, args)
			return nil
		}))
		if err != nil {
			return fmt.Errorf("binding of %q to %q: %w", bd.Source, bd.Destination, err)
		}
	}
	return nil
}

// define changes a virtual host, and turns an exception into an error.
func (b *Broker) define(name string, change func(*vhost) *exception) error {
	var ex *exception
	if v := b.VHost(name); !v.do(func(in *vhost) { ex = change(in) }) {
		return v.missing()
	}
	if ex != nil {
		return errors.New(ex.text)
	}
	return nil
}

// tableOf is a table of JSON's values, by name. Whole numbers are integers.
func tableOf(m map[string]any) (frame.Table, error) {
	var t frame.Table
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v, err := fieldOf(m[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		t = append(t, frame.Field{Key: key, Value: v})
	}
	return t, nil
}

func fieldOf(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
		return v, nil
	case map[string]any:
		return tableOf(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = fieldOf(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("%T has no place in a table", v)
}
