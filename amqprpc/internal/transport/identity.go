package transport

import (
	"os"
	"reflect"
	"runtime/debug"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// clientProperties are what the broker's lists show of a connection
// (https://www.rabbitmq.com/docs/connections#capabilities): which process it is.
func clientProperties(name string) amqp.Table {
	t := amqp.Table{
		"product":         "amqprpc-go",
		"version":         moduleVersion(),
		"platform":        "golang",
		"connection_name": name,
		"pid":             int32(os.Getpid()),
	}
	if host, err := os.Hostname(); err == nil {
		t["host"] = host
	}
	return t
}

// moduleVersion is the version of this module in the running program, "(devel)" where
// it is not known.
func moduleVersion() string {
	const unknown = "(devel)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	path := reflect.TypeFor[Config]().PkgPath()
	for _, m := range append(info.Deps, &info.Main) {
		if !strings.HasPrefix(path, m.Path+"/") {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" {
			return m.Version
		}
	}
	return unknown
}
