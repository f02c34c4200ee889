package rabbitmq

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// installation is an installed release: the machine's own package if root is empty, or
// else a Debian root made by scripts/rabbitmq/install.
type installation struct {
	root string
}

const scriptsDir = "/usr/lib/rabbitmq/bin"

// findInstallation finds a release of the series version, first on the machine.
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

// rootsDir returns the directory of the roots made by scripts/rabbitmq/install.
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

// insideDir returns the path of the directory dir inside the root.
func (in installation) insideDir(dir string) string {
	if in.root == "" {
		return dir
	}
	return "/mnt"
}

// enterRoot runs in its own mount namespace, so its mounts vanish with the last process
// in it. Every step is an exec, so the process keeps its ID. It sets the death signal
// again, because entering a user namespace has cleared it.
const enterRoot = `
root=$1 dir=$2; shift 2
mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --bind "$dir" "$root/mnt" || exit
exec setpriv --pdeathsig KILL chroot "$root" "$@"`

// command prepares the program name to run on the node in dir. name is a script of
// RabbitMQ or an absolute path.
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
	cmd.Dir = "/" // the working directory of the test may not exist in the root
	return cmd
}
