package amqprpc

import "time"

const (
	// streamPrefetch is how many requests for streams a server has unacknowledged.
	streamPrefetch = 64
	streamMost     = 1 << 30 // of a window and of all together
)

// WithMaxStreams bounds the streams of a handler that are open at once, in this server. At
// the bound the server takes no further requests, which another server may take. The
// default is 1,024. Values below 1 leave the default.
func WithMaxStreams(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n > 0 {
			c.maxStreams = n
		}
	})
}

// WithWindow bounds, in bytes, what may be under way on a stream in one direction: sent and
// not acknowledged, or received and not taken yet. Each message counts 32 bytes more than it
// has. A larger window is faster over a long way, and takes more memory. The default is 256
// KiB, and the least 16 KiB. One message may always exceed the window.
func WithWindow(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.streamWindow = min(max(bytes, streamWindowLeast), streamMost)
		}
	})
}

// WithStreamMemory bounds, in bytes, what all streams of a client or a server together may
// hold of what was received and not taken yet. With many streams each gets a smaller window,
// but of at least 16 KiB. The default is 2 MiB.
func WithStreamMemory(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.streamMemory = min(bytes, streamMost)
		}
	})
}

// WithStallLimit ends a stream whose other side has taken nothing for d while this side
// waited to send: with resource_exhausted on both sides. By default a stream waits as long as
// the other side lives. Values of zero and below leave the default.
func WithStallLimit(d time.Duration) ConnOption {
	return connOption(func(c *connConfig) { c.stallLimit = within(0, d, forever) })
}
