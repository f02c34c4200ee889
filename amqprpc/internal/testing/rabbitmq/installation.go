package rabbitmq

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// installation is one installed release: the machine's own package (root is empty), or
// one in a Debian root of its own, made by scripts/rabbitmq/install.
type installation struct {
	root string
}

const scriptsDir = "/usr/lib/rabbitmq/bin"

// findInstallation looks for a release of the series version, on the machine first.
func findInstallation(version string) (installation, error) {
	roots, err := rootsDir()
	if err != nil {
		return installation{}, err
	}
	for _, root := range []string{"", filepath.Join(roots, version)} {
		found, err := filepath.Glob(root + "/usr/lib/rabbitmq/lib/rabbitmq_server-" + version + ".*")
		if err != nil {
			return installation{}, fmt.Errorf("rabbitmq: version %q: %w", version, err)
		}
		if len(found) > 0 {
			return installation{root: root}, nil
		}
	}
	return installation{}, fmt.Errorf("rabbitmq: %s is installed neither on this machine nor in %s: run scripts/rabbitmq/install %s",
		version, roots, version)
}

// rootsDir is where scripts/rabbitmq/install puts what it installs.
func rootsDir() (string, error) {
	if dir := os.Getenv("AMQPRPC_RABBITMQ_ROOTS"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("rabbitmq: no AMQPRPC_RABBITMQ_ROOTS: %w", err)
	}
	return filepath.Join(home, ".cache", "amqprpc-rabbitmq"), nil
}

// insideDir is where a process of this installation sees the node's directory dir.
func (in installation) insideDir(dir string) string {
	if in.root == "" {
		return dir
	}
	return "/mnt"
}

// enterRoot runs in a mount namespace of its own, so that what it mounts vanishes with
// the last process in there. Every step is an exec: the process keeps its id. The death
// signal is set again because entering a user namespace cleared it.
const enterRoot = `
root=$1 dir=$2; shift 2
mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --bind "$dir" "$root/mnt" || exit
exec setpriv --pdeathsig KILL chroot "$root" "$@"`

// command prepares the program name, one of RabbitMQ's scripts or a path, to run with
// the given environment on the node that lives in dir.
func (in installation) command(ctx context.Context, dir string, env []string, name string, args ...string) *exec.Cmd {
	if !filepath.IsAbs(name) {
		name = filepath.Join(scriptsDir, name)
	}
	var argv []string
	if in.root != "" {
		argv = append(argv, "unshare", "--mount", "--propagation", "private")
		if os.Geteuid() != 0 {
			argv = append(argv, "--user", "--map-root-user")
		}
		argv = append(argv, "sh", "-c", enterRoot, "sh", in.root, dir)
	}
	argv = append(append(argv, name), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = "/" // not the test's own, which the root may not have
	return cmd
}
