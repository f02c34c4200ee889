package amqprpc

import "time"

const (
	// streamPrefetch is how many requests for streams a server has unacknowledged.
	streamPrefetch = 64
	streamMost     = 1 << 30 // of a window and of all together
)

// WithMaxStreams limits how many streams of this queue are open at once in this server. At
// the limit the server stops consuming the queue, so that other servers take the next
// streams. The default is 1,024. Values below 1 leave the default. It has no effect on
// handlers of calls.
func WithMaxStreams(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n > 0 {
			c.maxStreams = n
		}
	})
}

// WithWindow limits, in bytes, what is on its way on a stream in one direction: sent and not
// acknowledged, or received and not yet read. Each message counts 1 KiB more than it has.
// A larger window is faster over a long way, and needs more memory. To be faster, both sides
// need it. The default is 4 MiB. Smaller values than 32 KiB are raised to 32 KiB, and
// values below 1 leave the default. One message may always exceed the window.
func WithWindow(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.streamWindow = min(max(bytes, streamWindowLeast), streamMost)
		}
	})
}

// WithStreamMemory limits, in bytes, what all streams of a client or a server together have
// on their way to it, or received and not yet read. The streams share it: with many streams,
// each has a smaller window, but of at least 32 KiB. A window becomes smaller only when messages
// are read. A larger value makes many streams faster, and the replies to calls of the same
// client slower, because replies wait behind messages of streams. The default is 4 MiB, or
// [WithWindow] if that is more. Values below 1 leave the default.
func WithStreamMemory(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.streamMemory = min(bytes, streamMost)
		}
	})
}

// WithStallLimit ends a stream if a Send of this side has waited for d. Both sides get
// resource_exhausted. By default Send waits as long as the other side lives. Values of zero
// and below leave the default.
func WithStallLimit(d time.Duration) ConnOption {
	return connOption(func(c *connConfig) { c.stallLimit = within(0, d, forever) })
}
