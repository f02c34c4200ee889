package cli

import (
	"fmt"
	"time"
)

// took returns a duration with three digits.
func took(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Microsecond, "µs"}, {time.Millisecond, "ms"}, {time.Second, "s"}} {
		if v := float64(d) / float64(unit.of); v < 999.5 && (d >= unit.of || unit.of == time.Microsecond) || unit.of == time.Second && d < time.Hour {
			return digits(v) + unit.name
		}
	}
	return d.Round(time.Second).String()
}

// digits returns a number with three digits.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// since returns how long ago a time was, in the largest unit that fits.
func since(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "?"
	case d < time.Second:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
