package docs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// The program of the guide's first page serves and calls.
func TestProgramOfTheGuide(t *testing.T) {
	t.Parallel()
	const page = guide + "/getting-started.md"
	var program string
	for _, b := range blocks(page, pages(t)[page]) {
		if b.lang == "go" && strings.HasPrefix(b.text, "package main\n") {
			require.Empty(t, program, "the page has two programs")
			program = b.text
		}
	}
	broker := amqptest.Start(t)
	url := regexp.MustCompile(`"amqp://[^"]+"`)
	require.Len(t, url.FindAllString(program, -1), 1)
	exe := build(t, url.ReplaceAllLiteralString(program, `"`+broker.URL()+`"`))

	server := exec.Command(exe, "serve")
	var log bytes.Buffer
	server.Stderr = &log
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool {
		q, ok := broker.Queue("orders")
		return ok && len(q.Consumers) == 1
	}, time.Minute, 10*time.Millisecond, "the server does not serve")
	out, err := exec.Command(exe).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "cents: 1050\n")
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	require.NoError(t, server.Wait(), log.String())
}

// build builds a program of one file, as a package of this module.
func build(t *testing.T, program string) (exe string) {
	t.Helper()
	dir := t.TempDir()
	source, exe := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(source, []byte(program), 0o600))
	main, err := filepath.Abs(filepath.Join("program", "main.go"))
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {main: source}})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	out, err := exec.Command("go", "build", "-o", exe, "-overlay", file, "./program").CombinedOutput()
	require.NoError(t, err, string(out))
	return exe
}
