package protocol

import "time"

const (
	// MinHeartbeat and MaxHeartbeat bound the interval of heartbeats. Other
	// intervals are taken for the nearer bound.
	MinHeartbeat = 100 * time.Millisecond
	MaxHeartbeat = 24 * time.Hour
	// HeartbeatMisses is how many intervals without a heartbeat a caller waits
	// before it takes the server for dead.
	HeartbeatMisses = 3

	// MaxRetryAfter bounds when a server may ask its callers to call again.
	MaxRetryAfter = 24 * time.Hour

	maxAttempt    = 1 << 30
	maxDeliveries = 1 << 20

	// MaxExpiration is RabbitMQ's limit of an expiration. It closes the channel with
	// 406 for a longer one.
	MaxExpiration = maxMillis * time.Millisecond
	maxMillis     = 10 * 365 * 24 * 3600 * 1000
	// maxStated is the end of the year 9999 in milliseconds since 1970.
	maxStated = 253402300799999
)

func clampHeartbeat(d time.Duration) time.Duration {
	return min(max(d, MinHeartbeat), MaxHeartbeat)
}

// retryAfter is a time to call again in milliseconds, rounded up.
func retryAfter(d time.Duration) int64 {
	return int64((min(d, MaxRetryAfter) + time.Millisecond - 1) / time.Millisecond)
}

// timeLeft is what a request says of its deadline when it is published: its
// expiration, rounded up, and its rpc-deadline, both in milliseconds. A deadline
// that is further off than RabbitMQ allows is brought nearer in both, since
// servers compute the time of publishing from them.
func timeLeft(deadline, now time.Time) (expiration, stated int64) {
	left := min(deadline.Sub(now), MaxExpiration) // on the monotonic clock; at least the smallest Duration
	if left > 0 {
		expiration = int64((left + time.Millisecond - 1) / time.Millisecond)
	}
	return max(expiration, 1), max(now.Add(left).UnixMilli(), 0)
}
