package differential

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Operate does what an operator does with rabbitmqctl.
func (s *S) Operate(args ...string) {
	s.Note("rabbitmqctl %q", args)
	if err := s.broker.operate(args...); err != nil {
		s.fatal("%v", err)
	}
}

// operate does on amqptest what rabbitmqctl does on a node.
func operate(b *amqptest.Broker, args ...string) error {
	vhost := "/"
	if i := slices.Index(args, "-p"); i > 0 {
		vhost = args[i+1]
		args = slices.Delete(slices.Clone(args), i, i+2)
	}
	rest := args[1:]
	switch args[0] {
	case "add_user", "change_password":
		b.SetUser(rest[0], rest[1])
	case "delete_user":
		b.DeleteUser(rest[0])
	case "set_permissions":
		return b.SetPermissions(vhost, rest[0], rest[1], rest[2], rest[3])
	case "clear_permissions":
		return b.ClearPermissions(vhost, rest[0])
	case "add_vhost":
		b.AddVHost(rest[0])
		if len(rest) > 1 {
			return b.VHost(rest[0]).SetDefaultQueueType(rest[2])
		}
	case "delete_vhost":
		b.DeleteVHost(rest[0])
	case "set_policy":
		return setPolicy(b.VHost(vhost), rest)
	case "clear_policy":
		b.VHost(vhost).DeletePolicy(rest[0])
	case "set_disk_free_limit":
		if rest[0] == "100000GB" {
			b.RaiseAlarm(amqptest.DiskAlarm)
		} else {
			b.ClearAlarm(amqptest.DiskAlarm)
		}
	case "stop_app":
		b.Stop()
	case "start_app":
		return b.AcceptConnections()
	default:
		return fmt.Errorf("rabbitmqctl %s means nothing to amqptest", args[0])
	}
	return nil
}

// setPolicy is rabbitmqctl set_policy NAME PATTERN DEFINITION --apply-to KIND --priority N.
func setPolicy(v *amqptest.VHost, args []string) error {
	p := amqptest.Policy{Name: args[0], Pattern: args[1]}
	if err := json.Unmarshal([]byte(args[2]), &p.Definition); err != nil {
		return err
	}
	for i := 3; i+1 < len(args); i += 2 {
		switch args[i] {
		case "--apply-to":
			p.ApplyTo = args[i+1]
		case "--priority":
			if _, err := fmt.Sscan(args[i+1], &p.Priority); err != nil {
				return err
			}
		}
	}
	return v.SetPolicy(p)
}
