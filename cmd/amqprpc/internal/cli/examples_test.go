package cli_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/cli"
)

// demo runs amqprpc demo until the test ends, and returns the URL of its broker.
func demo(t *testing.T) (url string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	in, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, []string{"demo", "--listen", "127.0.0.1:0"}, cli.Streams{In: strings.NewReader(""), Out: out, Err: io.Discard})
	}()
	t.Cleanup(func() { stop(); <-ended })
	buf := make([]byte, 4096)
	n, err := in.Read(buf) // the demo greets with one write
	require.NoError(t, err)
	go io.Copy(io.Discard, in)
	t.Cleanup(func() { in.Close() })
	url = regexp.MustCompile(`amqp://\S+`).FindString(string(buf[:n]))
	require.NotEmpty(t, url)
	return url
}

// words splits a line as a shell does, as far as the examples need it.
func words(line string) (all []string) {
	for _, w := range regexp.MustCompile(`(?:'[^']*'|[^\s'])+`).FindAllString(line, -1) {
		all = append(all, strings.ReplaceAll(w, "'", ""))
	}
	return all
}

// A newcomer can run the examples of the help texts against the demo.
func TestExamplesRunAgainstTheDemo(t *testing.T) {
	t.Parallel()
	s := shellFor(t, demo(t))
	more := map[string][]string{ // so that they end soon
		"bench": {"--rate", "50", "--duration", "100ms", "--warmup", "0s"}, "stream": {"--limit", "2"},
		"all": nil, "asyncapi": nil, "call": nil, "describe": nil, "ls": nil, "ping": nil,
	}
	files := regexp.MustCompile(`[a-z]+\.(json|ndjson)`)
	input := map[string]string{
		"inventory.import": `{"sku":"TEA-104","quantity":40,"warehouse":"north"}`, "support.chat": `{"from":"ada","text":"Where is my tea?"}`,
	}
	ran := 0
	for _, cmd := range append(cli.New().Commands(), cli.New()) {
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			for part := range strings.SplitSeq(line, ";") {
				part, _, _ = strings.Cut(part, " | ")
				part, _, _ = strings.Cut(part, " < ")
				part, file, keeps := strings.Cut(part, " > ")
				args := words(files.ReplaceAllStringFunc(part, func(name string) string { return filepath.Join(s.dir, name) }))
				if len(args) < 2 || args[0] != "amqprpc" {
					continue
				}
				extra, known := more[args[1]]
				if !known || slices.Contains(args, "--url") {
					continue
				}
				in := ""
				for queue, text := range input {
					if slices.Contains(args, queue) {
						in = text
					}
				}
				r := s.with(strings.NewReader(in), append(slices.Clone(args[1:]), extra...)...)
				require.Zero(t, r.status, "%s\n%s%s", line, r.out, r.err)
				if ran++; keeps {
					require.NoError(t, os.WriteFile(filepath.Join(s.dir, file), []byte(r.out), 0o600))
				}
			}
		}
	}
	require.Greater(t, ran, 20)
}
