package rabbitmq

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Config describes a node to start. The zero value is a 3.10 without plugins.
type Config struct {
	// Version is the release series: "3.10", "4.0" or "4.3". The default is 3.10.
	Version string

	// Conf has further lines of rabbitmq.conf. A key in Conf overrides the same key of
	// this package.
	Conf []string

	// Plugins are enabled before the node boots, for example "rabbitmq_management". The
	// default is none, which boots fastest.
	Plugins []string
}

// DefaultVersion is the release series of an empty Config.Version.
const DefaultVersion = "3.10"

func (c Config) version() string {
	if c.Version == "" {
		return DefaultVersion
	}
	return c.Version
}

// identity is what stays the same over restarts of a node.
type identity struct {
	port     int // AMQP
	distPort int // Erlang distribution
	epmdPort int
	cookie   string
}

func (id identity) nodeName() string {
	return fmt.Sprintf("amqprpc-%d@localhost", id.port)
}

// writeFiles writes the configuration files that the broker reads when it boots.
func writeFiles(dir string, cfg Config, id identity, more []string) error {
	conf := []string{
		fmt.Sprintf("listeners.tcp.default = 127.0.0.1:%d", id.port),
		"loopback_users.guest = true",
		"log.file = false",
		"log.console = true",
		"log.console.level = info",
		// A nearly full disk of a test machine must not block publishers.
		"disk_free_limit.absolute = 50MB",
	}
	conf = append(conf, more...)
	conf = append(conf, cfg.Conf...)
	files := []struct {
		name, content string
		mode          os.FileMode
	}{
		{"rabbitmq.conf", strings.Join(lastOfEachKey(conf), "\n") + "\n", 0o644},
		{"advanced.config", "[].\n", 0o644},
		{"enabled_plugins", "[" + strings.Join(cfg.Plugins, ",") + "].\n", 0o644},
		// Erlang refuses a cookie that other users can read.
		{".erlang.cookie", id.cookie, 0o400},
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.content), f.mode); err != nil {
			return fmt.Errorf("rabbitmq: write %s: %w", f.name, err)
		}
	}
	return nil
}

// lastOfEachKey keeps only the last line of each key, because the broker refuses some
// repeated keys.
func lastOfEachKey(lines []string) []string {
	last := make(map[string]int, len(lines))
	key := func(line string) string {
		k, _, _ := strings.Cut(line, "=")
		return strings.TrimSpace(k)
	}
	for i, line := range lines {
		last[key(line)] = i
	}
	var kept []string
	for i, line := range lines {
		if last[key(line)] == i {
			kept = append(kept, line)
		}
	}
	return kept
}

// environment returns the environment of the broker's scripts and of rabbitmqctl. dir
// is the node's directory as the process sees it. The variables are documented at
// https://www.rabbitmq.com/docs/configure#supported-environment-variables.
func environment(dir string, id identity) []string {
	loopback := "-kernel inet_dist_use_interface {127,0,0,1}"
	return []string{
		"HOME=" + dir,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C.UTF-8",
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_CRASH_DUMP_BYTES=0", // a failed boot would leave a dump in its working directory
		fmt.Sprintf("ERL_EPMD_PORT=%d", id.epmdPort),
		"RABBITMQ_NODENAME=" + id.nodeName(),
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", id.distPort),
		// Without this variable the scripts read /etc/rabbitmq.
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE=" + dir + "/rabbitmq.conf",
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + dir + "/advanced.config",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + dir + "/enabled_plugins",
		"RABBITMQ_GENERATED_CONFIG_DIR=" + dir + "/generated",
		"RABBITMQ_MNESIA_BASE=" + dir + "/data",
		"RABBITMQ_LOG_BASE=" + dir,
		"RABBITMQ_LOGS=-",
		"RABBITMQ_PID_FILE=" + dir + "/pid",
		// With this variable the scripts exec the Erlang machine. So the process that was
		// started is the broker, and receives signals.
		"RUNNING_UNDER_SYSTEMD=true",
		"NOTIFY_SOCKET=" + dir + "/" + notifySocket,
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=" + loopback + " -start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none",
		"RABBITMQ_CTL_ERL_ARGS=" + loopback + " -start_epmd false +sbwt none +S 1:1",
		// Each rabbitmqctl listens on a port. The default range has only eleven ports,
		// too few for several test programs at once.
		"RABBITMQ_CTL_DIST_PORT_MIN=45672",
		"RABBITMQ_CTL_DIST_PORT_MAX=47672",
	}
}
