package main

import (
	"log/slog"
	"strings"
	"sync"
)

// logLines keeps the log lines of all services. It stands for the place where a platform
// collects what its processes write to stderr.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

// handler returns a handler that writes lines without their time.
func (l *logLines) handler() slog.Handler {
	return slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSpace(string(p)))
	return len(p), nil
}

// with returns the lines that contain all of these texts.
func (l *logLines) with(texts ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
next:
	for _, line := range l.lines {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

func (l *logLines) has(texts ...string) bool { return len(l.with(texts...)) > 0 }
