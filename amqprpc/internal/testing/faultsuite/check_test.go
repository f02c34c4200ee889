package faultsuite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// noon is the beginning of the histories of these tests.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// sound returns a history without violations. Tests add violations to it.
func sound() *History {
	least, most := Queue{Name: "least"}, Queue{Name: "most", AtMostOnce: true}
	return &History{
		Calls: []Call{
			{ID: "ok", Queue: least, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(20), Answer: Answer{ID: "ok", Run: "s/1"}},
			{ID: "fails", Queue: least, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(30),
				Err: "data_loss: …", Code: amqprpc.CodeDataLoss, Outcome: amqprpc.OutcomeExecuted, Answer: Answer{ID: "fails", Run: "s/2"}},
			{ID: "late", Queue: least, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(1010),
				Err: "deadline_exceeded: …", Code: amqprpc.CodeDeadlineExceeded},
			{ID: "unsent", Queue: least, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(1),
				Err: "resource_exhausted: …", Code: amqprpc.CodeResourceExhausted, Outcome: amqprpc.OutcomeNotSent},
			{ID: "returned", Queue: least, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(1),
				Err: "unavailable: …", Code: amqprpc.CodeUnavailable, Outcome: amqprpc.OutcomeNotExecuted},
			{ID: "told", Queue: least, Notification: true, Start: at(0), Limit: at(1000), End: at(2)},
			{ID: "once", Queue: most, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(20), Answer: Answer{ID: "once", Run: "s/5"}},
			{ID: "perhaps", Queue: most, Notification: true, Start: at(0), Limit: at(1000), End: at(2)},
			{ID: "again", Queue: least, Idempotent: true, Start: at(0), Limit: at(1000), Expiry: at(1000), End: at(90), Answer: Answer{ID: "again", Run: "s/7"}},
		},
		Executions: []Execution{
			{ID: "ok", Attempt: 1, Run: "s/1", Server: "s", Start: at(5), End: at(10), Result: Answered},
			{ID: "fails", Attempt: 1, Run: "s/2", Server: "s", Start: at(5), End: at(10), Result: Failed},
			{ID: "late", Attempt: 1, Run: "s/3", Server: "s", Start: at(990), End: at(1005), Result: Cancelled},
			{ID: "told", Attempt: 1, Run: "s/4", Server: "s", Start: at(900_000), End: at(900_010), Result: Answered},
			{ID: "once", Attempt: 1, Run: "s/5", Server: "s", Start: at(5), End: at(10), Result: Answered},
			{ID: "again", Attempt: 1, Run: "s/6", Server: "s", Start: at(5)}, // killed
			{ID: "again", Attempt: 2, Run: "s/7", Server: "s", Start: at(50), End: at(60), Result: Answered},
		},
		Scheduling: time.Second,
		Faults:     []Fault{{at(1), "connections cut"}, {at(999), "connections cut"}},
	}
}

func (h *History) call(id string) *Call {
	for i := range h.Calls {
		if h.Calls[i].ID == id {
			return &h.Calls[i]
		}
	}
	panic(id)
}

func (h *History) run(run string) *Execution {
	for i := range h.Executions {
		if h.Executions[i].Run == run {
			return &h.Executions[i]
		}
	}
	panic(run)
}

func TestSoundHistoryHasNoViolation(t *testing.T) {
	t.Parallel()
	h := sound()
	require.Empty(t, Check(h))
	require.Empty(t, Report(h, 7))
}

func TestCheckerFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(h *History)
		want Guarantee
		call string
	}{
		{"a call that never returns", func(h *History) { h.call("ok").End = time.Time{} }, ReturnsInTime, "ok"},
		{"a success after its ctx's end", func(h *History) { h.call("ok").End = at(1051) }, ReturnsInTime, "ok"},
		{"an error after its ctx's end", func(h *History) { h.call("late").End = at(1051) }, ReturnsInTime, "late"},
		{"a notification after its ctx's end", func(h *History) { h.call("told").End = at(1051) }, ReturnsInTime, "told"},
		{"late, and the process was busy at another time", func(h *History) {
			h.call("late").End = at(1100)
			h.Stalls = []Stall{{at(100), at(400)}}
		}, ReturnsInTime, "late"},
		{"later than the process was busy", func(h *History) {
			h.call("late").End = at(1100)
			h.Stalls = []Stall{{at(1020), at(1040)}}
		}, ReturnsInTime, "late"},
		{"another call's answer", func(h *History) { h.call("ok").Answer = Answer{ID: "again", Run: "s/7"} }, RightAnswer, "ok"},
		{"another execution's answer", func(h *History) { h.call("ok").Answer.Run = "s/7" }, RightAnswer, "ok"},
		{"an answer out of nowhere", func(h *History) { h.Executions = h.Executions[1:] }, RightAnswer, "ok"},
		{"no answer", func(h *History) { h.call("ok").Answer = Answer{} }, RightAnswer, "ok"},
		{"an answer before the execution", func(h *History) { h.run("s/1").Start, h.run("s/1").End = at(25), at(26) }, RightAnswer, "ok"},
		{"the answer of a handler that was cancelled", func(h *History) { h.run("s/1").Result = Cancelled }, RightAnswer, "ok"},
		{"not sent, and executed", func(h *History) {
			h.Executions = append(h.Executions, Execution{ID: "unsent", Attempt: 1, Run: "s/9", Start: at(5), End: at(6), Result: Answered})
		}, NotExecuted, "unsent"},
		{"not sent, and executed long after", func(h *History) {
			h.call("unsent").Expiry = time.Time{}
			h.Executions = append(h.Executions, Execution{ID: "unsent", Attempt: 1, Run: "s/9", Start: at(3_600_000)})
		}, NotExecuted, "unsent"},
		{"not executed, and executed", func(h *History) {
			h.Executions = append(h.Executions, Execution{ID: "returned", Attempt: 1, Run: "s/9", Start: at(5)})
		}, NotExecuted, "returned"},
		{"executed, and it was not", func(h *History) { h.Executions = append(h.Executions[:1:1], h.Executions[2:]...) }, WasExecuted, "fails"},
		{"executed, and the handler succeeded", func(h *History) { h.run("s/2").Result = Answered }, WasExecuted, "fails"},
		{"executed, and the framework's own error", func(h *History) { h.call("fails").Answer = Answer{} }, WasExecuted, "fails"},
		{"at most once, and twice", func(h *History) {
			h.Executions = append(h.Executions, Execution{ID: "once", Attempt: 1, Run: "s/9", Start: at(15), End: at(16), Result: Answered})
		}, AtMostOnce, "once"},
		{"at most once, and a notification twice", func(h *History) {
			h.Executions = append(h.Executions, Execution{ID: "perhaps", Attempt: 1, Run: "s/8", Start: at(15)},
				Execution{ID: "perhaps", Attempt: 1, Run: "s/9", Start: at(3_600_000)})
		}, AtMostOnce, "perhaps"},
		{"confirmed, and never executed", func(h *History) { h.Executions = append(h.Executions[:3:3], h.Executions[4:]...) }, AtLeastOnce, "told"},
		{"confirmed after the broker's restart, and never executed", func(h *History) {
			h.Executions = append(h.Executions[:3:3], h.Executions[4:]...)
			h.Losses = []Loss{{Time: at(-1), Persistent: true}}
		}, AtLeastOnce, "told"},
		{"persistent, and lost in a restart", func(h *History) {
			h.Executions = append(h.Executions[:3:3], h.Executions[4:]...)
			h.call("told").Persistent = true
			h.Losses = []Loss{{Time: at(5)}}
		}, AtLeastOnce, "told"},
		{"lost though another queue was deleted", func(h *History) {
			h.Executions = append(h.Executions[:3:3], h.Executions[4:]...)
			h.Losses = []Loss{{Time: at(5), Queue: "most", Persistent: true}}
		}, AtLeastOnce, "told"},
		{"sent again though it is not idempotent", func(h *History) { h.call("again").Idempotent = false }, NotSentAgain, "again"},
		{"started after the deadline", func(h *History) {
			h.run("s/3").Start, h.run("s/3").End = at(3001), at(3002)
		}, NotAfterDeadline, "late"},
		{"still running after the deadline", func(h *History) { h.run("s/3").End = at(3001) }, NotAfterDeadline, "late"},
		{"an error without a meaning", func(h *History) { h.call("late").Code = amqprpc.CodeUnknown }, ErrorIsTyped, "late"},
		{"a bug's error", func(h *History) { h.call("late").Code = amqprpc.CodeInternal }, ErrorIsTyped, "late"},
		{"an execution of nothing", func(h *History) {
			h.Executions = append(h.Executions, Execution{ID: "ghost", Attempt: 1, Run: "s/9", Start: at(5)})
		}, NothingInvented, "ghost"},
		{"an execution before its call", func(h *History) { h.run("s/1").Start = at(-1) }, NothingInvented, "ok"},
		{"two calls of one id", func(h *History) { h.Calls = append(h.Calls, *h.call("ok")) }, NothingInvented, "ok"},
		{"a pending call", func(h *History) { h.Leftovers = []string{"client1 has a pending call"} }, NothingLeft, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := sound()
			tt.do(h)
			vs := Check(h)
			require.Len(t, vs, 1, "%v", vs)
			require.Equal(t, tt.want, vs[0].Guarantee, vs[0].What)
			require.Equal(t, tt.call, vs[0].Call)
			require.Contains(t, Report(h, 7), "AMQPRPC_FAULTS_SEED=7")
		})
	}
}

// These histories look like violations but are not.
func TestCheckerKnowsExcuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(h *History)
	}{
		{"late within 50 ms", func(h *History) { h.call("late").End = at(1050) }},
		{"late while the process was busy", func(h *History) {
			h.call("late").End = at(1190)
			h.Stalls = []Stall{{at(990), at(1140)}}
		}},
		{"an execution that was killed after its answer", func(h *History) { h.run("s/1").End, h.run("s/1").Result = time.Time{}, "" }},
		{"a handler's error because its ctx ended", func(h *History) { h.run("s/2").Result = Cancelled }},
		{"transient, and lost in a restart", func(h *History) {
			h.Executions = append(h.Executions[:3:3], h.Executions[4:]...)
			h.Losses = []Loss{{Time: at(5)}}
		}},
		{"lost with its queue", func(h *History) {
			h.Executions = append(h.Executions[:3:3], h.Executions[4:]...)
			h.call("told").Persistent = true
			h.Losses = []Loss{{Time: at(5), Queue: "least", Persistent: true}}
		}},
		{"at least once, and twice", func(h *History) {
			h.Executions = append(h.Executions, Execution{ID: "ok", Attempt: 1, Run: "s/9", Start: at(15), End: at(16), Result: Answered})
		}},
		{"started after the deadline, within the skew", func(h *History) { h.run("s/3").Start = at(1990) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := sound()
			tt.do(h)
			require.Empty(t, Check(h))
		})
	}
}

func TestStoryIsOfTheCallAlone(t *testing.T) {
	t.Parallel()
	h := sound()
	h.call("again").Idempotent = false
	h.call("late").End = at(3000)
	require.Equal(t, []string{
		"    0.000 s   calls least (call), as again",
		"    0.001 s  -- connections cut",
		"    0.005 s  s starts s/6: attempt 1, redelivered false",
		"    0.050 s  s starts s/7: attempt 2, redelivered false",
		"    0.060 s  s/7 has answered",
		"    0.090 s  it succeeds with the answer of s/7",
		"    0.999 s  -- connections cut",
		"    1.000 s  its ctx ends",
	}, Story(h, Violation{NotSentAgain, "again", ""}))
	report := Report(h, 7)
	require.Equal(t, 1, strings.Count(report, string(ReturnsInTime)))
	require.Equal(t, 1, strings.Count(report, string(NotSentAgain)))
	require.NotContains(t, report, "data_loss", "another call's affairs")
}

// Of several violations of one guarantee, Report shows the one with the shortest story.
func TestShortestStoryIsTold(t *testing.T) {
	t.Parallel()
	h := sound()
	h.call("again").End = at(5000)
	h.call("unsent").End = at(5000)
	h.call("late").End = at(5000)
	vs := Shortest(h, Check(h))
	require.Len(t, vs, 1)
	require.Equal(t, "unsent", vs[0].Call)
}

func TestJournalSurvivesItsWriter(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(name)
	require.NoError(t, err)
	j.Started(Execution{ID: "a", Attempt: 2, Run: "s/1", Server: "s", Redelivered: true, Start: at(1)})
	j.Started(Execution{ID: "b", Attempt: 1, Run: "s/2", Server: "s", Start: at(2)})
	j.Ended("s/1", at(3), Failed, Flow{Sent: 3, Got: []Span{{"a", 0, 2}}})
	_, err = j.f.WriteString(`{"run":"s/3","at":"2026`) // as SIGKILL during a write leaves it
	require.NoError(t, err)
	want := []Execution{
		{ID: "a", Attempt: 2, Run: "s/1", Server: "s", Redelivered: true, Start: at(1), End: at(3), Result: Failed,
			Flow: Flow{Sent: 3, Got: []Span{{"a", 0, 2}}}},
		{ID: "b", Attempt: 1, Run: "s/2", Server: "s", Start: at(2)},
	}
	got, err := readJournal(name)
	require.NoError(t, err)
	require.Equal(t, want, got)

	_, err = j.f.WriteString("\n{}\n")
	require.NoError(t, err)
	_, err = readJournal(name)
	require.ErrorContains(t, err, "torn")
	require.NoError(t, j.f.Close())
	_, err = readJournal(name + ".none")
	require.True(t, errors.Is(err, os.ErrNotExist))
}

func TestCanary(t *testing.T) {
	t.Parallel()
	_, late := yawn(at(0), at(9))
	require.False(t, late)
	s, late := yawn(at(0), at(105))
	require.True(t, late)
	require.Equal(t, Stall{at(5), at(105)}, s)
}
