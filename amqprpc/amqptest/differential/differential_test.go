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
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// followed is the release that amqptest follows by default, and of which all transcripts
// are kept; of the others there are those that differ.
const followed = "3.10"

// releases are those that amqptest can follow.
func releases() map[string]amqptest.Version {
	return map[string]amqptest.Version{
		followed: amqptest.RabbitMQ310, "4.0": amqptest.RabbitMQ40, "4.3": amqptest.RabbitMQ43,
	}
}

// suite is what all tests of this package share; TestMain fills it before they begin.
type suite struct {
	update   bool
	findings string
	walks    int
	node     *rabbitmq.Node // nil unless AMQPRPC_RABBITMQ asks for one
	goldens  *goldens

	mu   sync.Mutex
	diff []string
}

var shared suite

func TestMain(m *testing.M) {
	flag.BoolVar(&shared.update, "update", false, "record the transcripts of the node that AMQPRPC_RABBITMQ names")
	flag.StringVar(&shared.findings, "findings", "", "write the differences to this `file`")
	flag.IntVar(&shared.walks, "walks", 0, "take so many further random walks on the node and on amqptest")
	flag.Parse()
	// Scenarios wait more than they compute.
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("16")
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
	b.operate = func(args ...string) error {
		_, err := n.Ctl(context.Background(), args...)
		return err
	}
	return &b
}

// inProcess is a fresh amqptest that follows a release.
func inProcess(t *testing.T, release string, g group) broker {
	t.Helper()
	b := amqptest.NewBroker(append([]amqptest.Option{amqptest.Follow(releases()[release])}, g.options...)...)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	at, err := brokerAt(b.URL(), func(on bool) error {
		if on {
			b.RaiseAlarm(amqptest.MemoryAlarm)
		} else {
			b.ClearAlarm(amqptest.MemoryAlarm)
		}
		return nil
	})
	require.NoError(t, err)
	at.operate = func(args ...string) error { return operate(b, args...) }
	return at
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, g := range allScenarios() {
		if !g.alone {
			t.Run(g.name, func(t *testing.T) {
				t.Parallel()
				runGroup(t, g)
			})
		}
	}
}

// TestScenariosAlone runs what disturbs others. Go lets tests that do not call Parallel
// finish before those that do begin.
func TestScenariosAlone(t *testing.T) {
	for _, g := range allScenarios() {
		if g.alone {
			t.Run(g.name, func(t *testing.T) { runGroup(t, g) })
		}
	}
}

func runGroup(t *testing.T, g group) {
	if n := shared.node; n != nil && !g.about(n.Version()) {
		t.Skipf("says nothing of RabbitMQ %s", n.Version())
	}
	if n := shared.node; n != nil && g.setUp != nil {
		require.NoError(t, g.setUp(t.Context(), n))
		t.Cleanup(func() { require.NoError(t, g.tearDown(context.Background(), n)) })
	}
	seen := map[string]bool{}
	for _, sc := range g.scenarios {
		require.False(t, seen[sc.name], "two scenarios %s/%s", g.name, sc.name)
		seen[sc.name] = true
		t.Run(sc.name, func(t *testing.T) {
			if !g.alone || g.together || shared.node == nil { // amqptest is a fresh one each time
				t.Parallel()
			}
			compare(t, g, sc)
		})
	}
}

// compare runs one scenario on every broker that is there: on the node if there is one,
// and on amqptest as the node's release, else as each release that has a transcript.
func compare(t *testing.T, g group, sc scenario) {
	b := realBroker(t)
	if b == nil {
		for release := range releases() {
			if !g.about(release) {
				continue
			}
			if want, ok := shared.goldens.own(release, g.name, sc.name); ok {
				compareInProcess(t, release, g, sc, want)
			} else if release == followed {
				t.Fatalf("no transcript of %s/%s: record it with -update", g.name, sc.name)
			}
		}
		return
	}
	release := shared.node.Version()
	got, err := runScenario(*b, g.name, sc)
	require.NoError(t, err)
	if shared.update {
		shared.goldens.set(release, g.name, sc.name, got)
		return
	}
	requireSame(t, "RabbitMQ "+release+" now", "RabbitMQ "+release+" as recorded", got, shared.goldens.get(release, g.name, sc.name))
	compareInProcess(t, release, g, sc, got)
}

func compareInProcess(t *testing.T, release string, g group, sc scenario, want string) {
	t.Helper()
	got, err := runScenario(inProcess(t, release, g), g.name, sc)
	require.NoError(t, err)
	if got != want {
		shared.mu.Lock()
		shared.diff = append(shared.diff, fmt.Sprintf("%s/%s on %s\n%s", g.name, sc.name, release, difference(want, got)))
		shared.mu.Unlock()
	}
	requireSame(t, "amqptest", "RabbitMQ "+release, got, want)
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
	for _, g := range allScenarios() {
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
