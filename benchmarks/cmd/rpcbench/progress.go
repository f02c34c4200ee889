package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// bar is a progress bar on one line of a terminal.
type bar struct {
	w     io.Writer
	title string
	steps int
	done  int
	begun time.Time
}

const barWidth = 30

// newBar returns a bar on f. The bar shows nothing if f is not a terminal.
func newBar(f *os.File) *bar {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &bar{w: io.Discard}
	}
	return &bar{w: f}
}

// Begin implements bench.Progress.
func (b *bar) Begin(title string, steps int) {
	b.title, b.steps, b.done, b.begun = title, steps, 0, time.Now()
}

// Step implements bench.Progress.
func (b *bar) Step(what string) {
	full := barWidth * b.done / max(b.steps, 1)
	left := ""
	if b.done > 0 {
		left = (time.Since(b.begun) * time.Duration(b.steps-b.done) / time.Duration(b.done)).Round(time.Second).String() + " left, "
	}
	fmt.Fprintf(b.w, "\r\x1b[K%-12s [%s%s] %3d/%d %s%.40s", b.title,
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), b.done, b.steps, left, what)
	b.done++
}

// End implements bench.Progress.
func (b *bar) End() { fmt.Fprint(b.w, "\r\x1b[K") }
