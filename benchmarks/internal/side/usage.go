package side

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// read fills in what this process has used.
func (u *Usage) read() {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Mallocs, u.Bytes = m.Mallocs, m.TotalAlloc
	u.Writes = writes()
}

// writes is how many system calls have written, as Linux counts them (man 5
// proc_pid_io).
func writes() uint64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "syscw: "); ok {
			count, _ := strconv.ParseUint(strings.TrimSpace(n), 10, 64) // 0 is "not known", too
			return count
		}
	}
	return 0
}

const (
	driverPackage    = "github.com/rabbitmq/amqp091-go."
	modulePackages   = "github.com/bbebcec1/amqprpc-go/"
	benchmarkPackage = modulePackages + "benchmarks/"
)

// read counts allocations by the innermost function that belongs to the driver or to
// this repository: what the standard library allocates is its caller's.
func (o *Origins) read() {
	// The profile is that of the last complete collection.
	runtime.GC()
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 1000)
	for {
		n, ok := runtime.MemProfile(records, true)
		if ok {
			records = records[:n]
			break
		}
		records = make([]runtime.MemProfileRecord, n+n/2)
	}
	o.Sites = make(map[string]int64)
	for i := range records {
		r := &records[i]
		site, origin := place(r.Stack())
		switch origin {
		case driverPackage:
			o.Driver += r.AllocObjects
		case modulePackages:
			o.Framework += r.AllocObjects
			o.Sites[site] += r.AllocObjects
		default:
			o.Rest += r.AllocObjects
		}
	}
}

// place finds the innermost frame of the driver's or this repository's.
func place(stack []uintptr) (site, origin string) {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, driverPackage):
			return "", driverPackage
		case strings.HasPrefix(f.Function, benchmarkPackage):
			return "", benchmarkPackage
		case strings.HasPrefix(f.Function, modulePackages):
			return strings.TrimPrefix(f.Function, modulePackages) + ":" + strconv.Itoa(f.Line), modulePackages
		case !more:
			return "", ""
		}
	}
}
