package cli

import (
	"fmt"
	"time"
)

// took returns a duration with three digits, or a dash for none.
func took(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	switch {
	case d < 999_500*time.Nanosecond:
		return digits(float64(d)/1e3) + "µs"
	case d < 999_500*time.Microsecond:
		return digits(float64(d)/1e6) + "ms"
	case d < time.Hour:
		return digits(d.Seconds()) + "s"
	}
	return d.Round(time.Second).String()
}

// digits returns a number with three digits at least.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	case v < 1e7:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2e", v)
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
