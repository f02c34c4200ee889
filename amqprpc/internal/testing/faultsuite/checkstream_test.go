package faultsuite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// streamed returns a history of streams and of a broadcast, without violations.
func streamed() *History {
	down := Queue{Name: "down", Kind: amqprpc.KindServerStream}
	up := Queue{Name: "up", Kind: amqprpc.KindClientStream}
	both := Queue{Name: "both", Kind: amqprpc.KindBidiStream}
	all := Queue{Name: "all", Broadcast: true}
	call := func(id string, q Queue, flow Flow) Call {
		return Call{ID: id, Queue: q, Start: at(0), Limit: at(5000), Expiry: at(5000), End: at(100), Flow: flow}
	}
	h := &History{
		Calls: []Call{
			call("down", down, Flow{Got: []Span{{"s/1", 0, 9}}, Clean: true}),
			call("up", up, Flow{Sent: 9, Done: true}),
			call("both", both, Flow{Sent: 9, Done: true, Got: []Span{{"s/3", 0, 9}}, Clean: true}),
			call("none", down, Flow{Clean: true}),
			call("left", down, Flow{Got: []Span{{"s/5", 0, 3}}}),
			call("all", all, Flow{}),
		},
		Executions: []Execution{
			{ID: "down", Run: "s/1", Result: Answered, Flow: Flow{Sent: 9, Done: true}},
			{ID: "up", Run: "s/2", Result: Answered, Flow: Flow{Done: true, Got: []Span{{"up", 0, 9}}, Clean: true}},
			{ID: "both", Run: "s/3", Result: Answered, Flow: Flow{Sent: 9, Done: true, Got: []Span{{"both", 0, 9}}, Clean: true}},
			{ID: "none", Run: "s/4", Result: Answered, Flow: Flow{Done: true}},
			{ID: "left", Run: "s/5", Result: Cancelled, Flow: Flow{Sent: 7}},
			{ID: "all", Run: "s/6", Instance: "a", Result: Answered},
			{ID: "all", Run: "t/1", Instance: "b", Result: Answered},
		},
		Calm: at(50),
	}
	for i := range h.Executions {
		e := &h.Executions[i]
		e.Attempt, e.Start, e.End = 1, at(5), at(90)
	}
	h.call("up").Answer = Answer{ID: "up", Run: "s/2"}
	h.call("left").Left = true
	h.call("all").Answers = []Answer{{ID: "all", Run: "s/6", Instance: "a"}, {ID: "all", Run: "t/1", Instance: "b"}}
	return h
}

func TestSoundStreamsHaveNoViolation(t *testing.T) {
	t.Parallel()
	require.Empty(t, Check(streamed()))
	for name, do := range map[string]func(h *History){
		"cut, and the rest never came":           func(h *History) { h.call("left").Flow.Got[0].Count = 1 },
		"a killed server has sent what it liked": func(h *History) { h.run("s/5").End, h.run("s/5").Result, h.run("s/5").Start = time.Time{}, "", at(5) },
		"an instance that fails":                 func(h *History) { h.call("all").Answers[1] = Answer{Instance: "b"} },
		"told within a second":                   func(h *History) { h.run("s/5").End = at(1100) },
		"a call whose caller does not cancel it": func(h *History) { h.run("s/6").End = at(4000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := streamed()
			do(h)
			require.Empty(t, Check(h))
		})
	}
}

func TestCheckerFindsBrokenStreams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(h *History)
		want Guarantee
		call string
	}{
		{"items of two executions", func(h *History) { h.call("down").Flow.Got = []Span{{"s/1", 0, 4}, {"s/9", 4, 5}} }, OneExecution, "down"},
		{"an item lost", func(h *History) { h.call("down").Flow.Got = []Span{{"s/1", 0, 4}, {"s/1", 5, 4}} }, OnceInOrder, "down"},
		{"an item twice", func(h *History) { h.call("down").Flow.Got = []Span{{"s/1", 0, 4}, {"s/1", 3, 6}} }, OnceInOrder, "down"},
		{"the first item lost", func(h *History) { h.call("left").Flow.Got[0].First = 1 }, OnceInOrder, "left"},
		{"more than was sent", func(h *History) { h.call("left").Flow.Got[0].Count = 8 }, OnceInOrder, "left"},
		{"items of nobody", func(h *History) { h.call("left").Flow.Got[0].Of = "s/9" }, NothingInvented, "left"},
		{"the last item lost", func(h *History) { h.call("down").Flow.Got[0].Count = 8 }, CleanEnd, "down"},
		{"the end of a handler that failed", func(h *History) { h.run("s/1").Flow.Done = false }, CleanEnd, "down"},
		{"the end of a handler that was killed", func(h *History) { h.run("s/1").End, h.run("s/1").Start, h.Calm = time.Time{}, at(5), time.Time{} }, CleanEnd, "down"},
		{"an end without items", func(h *History) { h.call("down").Flow.Got = nil }, CleanEnd, "down"},
		{"a success without an end", func(h *History) { h.call("down").Flow.Clean = false }, CleanEnd, "down"},
		{"half an upload taken for the whole", func(h *History) { h.run("s/2").Flow.Got[0].Count = 4 }, CleanEnd, "up"},
		{"an upload whose source failed", func(h *History) { h.call("up").Flow.Done = false }, CleanEnd, "up"},
		{"an upload's item twice", func(h *History) { h.run("s/3").Flow.Got = []Span{{"both", 0, 4}, {"both", 3, 6}} }, OnceInOrder, "both"},
		{"another call's items", func(h *History) { h.run("s/2").Flow.Got[0].Of = "both" }, NothingInvented, "up"},
		{"the answer of another upload", func(h *History) { h.call("up").Answer.Run = "s/3" }, RightAnswer, "up"},
		{"a handler that was not told", func(h *History) { h.run("s/5").End = at(1101) }, CallerGone, "left"},
		{"a handler that never ends", func(h *History) { h.run("s/5").End, h.run("s/5").Start = time.Time{}, at(60) }, CallerGone, "left"},
		{"a cancelled call that runs on", func(h *History) {
			h.call("up").Queue.Kind, h.call("up").Code, h.call("up").Err = amqprpc.KindUnary, amqprpc.CodeCanceled, "canceled"
			h.run("s/2").End = at(2000)
		}, CallerGone, "up"},
		{"an instance answers twice", func(h *History) { h.call("all").Answers[1] = h.call("all").Answers[0] }, OncePerInstance, "all"},
		{"an instance runs twice", func(h *History) { h.run("t/1").Instance = "a"; h.call("all").Answers = h.call("all").Answers[:0] }, OncePerInstance, "all"},
		{"an instance answers without running", func(h *History) { h.call("all").Answers[1].Instance = "c" }, RightAnswer, "all"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := streamed()
			tt.do(h)
			vs := Check(h)
			require.Len(t, vs, 1, "%v", vs)
			require.Equal(t, tt.want, vs[0].Guarantee, vs[0].What)
			require.Equal(t, tt.call, vs[0].Call)
		})
	}
}
