package side

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// read stores the usage of this process in u.
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

// writes returns the number of writing system calls that Linux counted (man 5 proc_pid_io).
func writes() uint64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "syscw: "); ok {
			count, _ := strconv.ParseUint(strings.TrimSpace(n), 10, 64) // 0 also means unknown
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

// read attributes allocations to the innermost function of the driver or of this repository.
// An allocation of the standard library thus counts for its caller.
func (o *Origins) read() {
	// The profile shows the state at the last complete collection.
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

// place returns the innermost frame of the driver or of this repository.
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
