package differential

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/rabbitmq"
)

// followed is the release whose behaviour amqptest has.
const followed = "3.10"

// suite is what all tests of this package share; TestMain fills it before they begin.
type suite struct {
	update   bool
	findings string
	node     *rabbitmq.Node // nil unless AMQPRPC_RABBITMQ asks for one
	goldens  *goldens

	mu   sync.Mutex
	diff []string
}

var shared suite

func TestMain(m *testing.M) {
	flag.BoolVar(&shared.update, "update", false, "record the transcripts of the node that AMQPRPC_RABBITMQ names")
	flag.StringVar(&shared.findings, "findings", "", "write the differences to this `file`")
	flag.Parse()
	// Scenarios wait more than they compute.
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("8")
	}
	goleak.VerifyTestMain(rabbitmq.Main(runner(func() int { return runAll(m) }), func(n *rabbitmq.Node) { shared.node = n }))
}

type runner func() int

func (r runner) Run() int { return r() }

func runAll(m *testing.M) int {
	var err error
	if shared.goldens, err = loadGoldens("testdata"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if shared.update {
		if err := shared.goldens.save(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if shared.findings != "" {
		sort.Strings(shared.diff)
		if err := os.WriteFile(shared.findings, []byte(strings.Join(shared.diff, "\n")), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// realBroker is the node, nil when none is asked for.
func realBroker(t *testing.T) *broker {
	t.Helper()
	n := shared.node
	if n == nil {
		require.False(t, shared.update, "-update records from RabbitMQ: set %s", rabbitmq.EnvVersion)
		return nil
	}
	b, err := brokerAt(n.URL(), func(on bool) error { return n.SetMemoryAlarm(context.Background(), on) })
	require.NoError(t, err)
	return &b
}

// inProcess is a fresh amqptest.
func inProcess(t *testing.T) broker {
	t.Helper()
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	at, err := brokerAt(b.URL(), func(on bool) error {
		if on {
			b.BlockPublishers("low on memory")
		} else {
			b.UnblockPublishers()
		}
		return nil
	})
	require.NoError(t, err)
	return at
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, g := range allScenarios() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for _, sc := range g.scenarios {
				require.False(t, seen[sc.name], "two scenarios %s/%s", g.name, sc.name)
				seen[sc.name] = true
				t.Run(sc.name, func(t *testing.T) {
					t.Parallel()
					compare(t, g.name, sc)
				})
			}
		})
	}
}

// TestMemoryAlarm is apart because the alarm blocks everybody.
func TestMemoryAlarm(t *testing.T) {
	for _, sc := range alarmScenarios() {
		t.Run(sc.name, func(t *testing.T) { compare(t, "alarm", sc) })
	}
}

// compare runs one scenario on every broker that is there.
func compare(t *testing.T, group string, sc scenario) {
	want := shared.goldens.get(followed, group, sc.name)
	if b := realBroker(t); b != nil {
		version := shared.node.Version()
		got, err := runScenario(*b, group, sc)
		require.NoError(t, err)
		if shared.update {
			shared.goldens.set(version, group, sc.name, got)
			return
		}
		requireSame(t, "RabbitMQ "+version+" now", "RabbitMQ "+version+" as recorded", got, shared.goldens.get(version, group, sc.name))
		if version == followed {
			want = got
		}
	}
	got, err := runScenario(inProcess(t), group, sc)
	require.NoError(t, err)
	if got != want {
		shared.mu.Lock()
		shared.diff = append(shared.diff, fmt.Sprintf("%s/%s\n%s", group, sc.name, difference(want, got)))
		shared.mu.Unlock()
	}
	requireSame(t, "amqptest", "RabbitMQ "+followed, got, want)
}

func requireSame(t *testing.T, gotName, wantName, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s (+) differs from %s (-):\n%s", gotName, wantName, difference(want, got))
	}
}

// difference shows two transcripts as one, with - and + before the lines that only one
// of them has.
func difference(want, got string) string {
	a, b := strings.Split(strings.TrimSuffix(want, "\n"), "\n"), strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	// The longest common subsequence, by the textbook.
	lcs := make([][]int, len(a)+1)
	for i := range lcs {
		lcs[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	var out strings.Builder
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			fmt.Fprintf(&out, "    %s\n", a[i])
			i, j = i+1, j+1
		case j == len(b) || (i < len(a) && lcs[i+1][j] >= lcs[i][j+1]):
			fmt.Fprintf(&out, "  - %s\n", a[i])
			i++
		default:
			fmt.Fprintf(&out, "  + %s\n", b[j])
			j++
		}
	}
	return out.String()
}

// TestGoldensAreUsed finds transcripts of scenarios that are no more.
func TestGoldensAreUsed(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, g := range append(allScenarios(), group{"alarm", alarmScenarios()}) {
		for _, sc := range g.scenarios {
			known[filepath.Join(g.name, sc.name)] = true
		}
	}
	require.GreaterOrEqual(t, len(known), 120)
	if shared.update {
		return // saving drops them
	}
	for _, key := range shared.goldens.keys() {
		require.True(t, known[key], "testdata has a transcript of %s, which is no scenario", key)
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	require.Equal(t, "    a\n  - b\n  + c\n    d\n  + e\n", difference("a\nb\nd\n", "a\nc\nd\ne\n"))
}

func TestTimestampsAreStandIns(t *testing.T) {
	t.Parallel()
	require.Equal(t, "<now>", describeValue(time.Now()))
	require.Equal(t, "2020-02-03T04:05:06Z", describeValue(time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)))
}
