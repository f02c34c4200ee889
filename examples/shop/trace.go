package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// spans keeps the spans of all services in memory. It stands for the collector.
type spans struct{ *tracetest.InMemoryExporter }

// Shutdown keeps the spans: one service has ended, and others go on.
func (spans) Shutdown(context.Context) error { return nil }

// traces returns the finished traces, the oldest first, each with its spans in the order of
// their beginning.
func (s spans) traces() [][]tracetest.SpanStub {
	all := s.GetSpans()
	slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	byID := make(map[trace.TraceID][]tracetest.SpanStub)
	for _, span := range all {
		id := span.SpanContext.TraceID()
		byID[id] = append(byID[id], span)
	}
	var traces [][]tracetest.SpanStub
	for _, t := range byID {
		if isWhole(t) {
			traces = append(traces, t)
		}
	}
	slices.SortFunc(traces, func(a, b []tracetest.SpanStub) int {
		return cmp.Or(a[0].StartTime.Compare(b[0].StartTime), strings.Compare(traceID(a), traceID(b)))
	})
	return traces
}

// isWhole reports whether all spans of a trace have ended that others are below. An order that
// was hedged may have its answer while the other attempt still runs.
func isWhole(t []tracetest.SpanStub) bool {
	ended := make(map[trace.SpanID]bool)
	for _, span := range t {
		ended[span.SpanContext.SpanID()] = true
	}
	return !slices.ContainsFunc(t, func(span tracetest.SpanStub) bool {
		return span.Parent.IsValid() && !ended[span.Parent.SpanID()]
	})
}

func traceID(t []tracetest.SpanStub) string { return t[0].SpanContext.TraceID().String() }

// printTree prints a trace: a span is indented below its parent.
func printTree(out io.Writer, t []tracetest.SpanStub) {
	children := make(map[trace.SpanID][]tracetest.SpanStub)
	for _, span := range t[1:] {
		children[span.Parent.SpanID()] = append(children[span.Parent.SpanID()], span)
	}
	var printSpan func(span tracetest.SpanStub, indent string)
	printSpan = func(span tracetest.SpanStub, indent string) {
		instance, _ := span.Resource.Set().Value("service.instance.id")
		result := value(span, "rpc.status_code")
		if result == "" {
			result = "outcome " + value(span, "amqprpc.outcome")
		}
		fmt.Fprintf(out, "  %-12s %s%s (%s) %s\n", instance.AsString(), indent, span.Name, span.SpanKind, result)
		for _, e := range span.Events {
			fmt.Fprintf(out, "  %-12s %s  * %s", "", indent, e.Name)
			for _, a := range e.Attributes {
				fmt.Fprintf(out, " %s=%s", a.Key, a.Value.String())
			}
			fmt.Fprintln(out)
		}
		for _, c := range children[span.SpanContext.SpanID()] {
			printSpan(c, indent+"  ")
		}
	}
	printSpan(t[0], "")
}

// value returns an attribute of a span, "" if it has none of this name.
func value(span tracetest.SpanStub, key attribute.Key) string {
	for _, a := range span.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// hasEvent reports whether a span of the trace has such an event, with a value.
func hasEvent(t []tracetest.SpanStub, method, event, text string) bool {
	return slices.ContainsFunc(t, func(span tracetest.SpanStub) bool {
		return span.Name == method && slices.ContainsFunc(span.Events, func(e sdktrace.Event) bool {
			return e.Name == event && slices.ContainsFunc(e.Attributes, func(a attribute.KeyValue) bool {
				return strings.Contains(a.Value.String(), text)
			})
		})
	})
}
