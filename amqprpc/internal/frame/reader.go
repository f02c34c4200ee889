package frame

import (
	"encoding/binary"
	"fmt"
	"io"
)

// SizeError reports that a peer announced a payload over the limit. The rest of the stream is
// then unreadable.
type SizeError struct {
	Type    uint8
	Channel uint16
	Size    uint32 // announced by the peer
	Max     uint32 // the limit, in octets of payload
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("frame: payload of %d octets is over the limit of %d", e.Size, e.Max)
}

// EndError reports a frame that does not end with [End]. The rest of the stream is then
// unreadable.
type EndError struct {
	Frame Frame // its payload, valid until the next call to Next
	Got   byte
}

func (e *EndError) Error() string {
	return fmt.Sprintf("frame: end octet is %#02x, not %#02x", e.Got, End)
}

const (
	// initialBuffer is small, because a process may have thousands of quiet connections.
	initialBuffer = 1 << 9
	// fullBuffer is the largest buffer of a busy connection. One system call then reads many
	// frames.
	fullBuffer = 64 << 10
	// calmReads is how many reads in a row must fit the initial buffer before a connection
	// counts as quiet again. On an idle one, only heartbeats come.
	calmReads = 32
)

// Reader cuts a stream into frames. It is not safe for concurrent use.
type Reader struct {
	src        io.Reader
	buf        []byte
	start, end int // buf[start:end] has been read but not returned
	calm       int // reads in a row that would have fitted the initial buffer
	max        uint32
}

// NewReader reads frames whose payload is at most maxPayload octets. Zero means [MinSize].
func NewReader(src io.Reader, maxPayload uint32) *Reader {
	r := &Reader{src: src, buf: make([]byte, initialBuffer)}
	r.SetMaxPayload(maxPayload)
	return r
}

// SetMaxPayload changes the limit from the next frame on.
func (r *Reader) SetMaxPayload(n uint32) {
	if n == 0 {
		n = MinSize
	}
	r.max = n
}

// ReadProtocolHeader reads the first eight octets of a connection.
func (r *Reader) ReadProtocolHeader() ([8]byte, error) {
	var h [8]byte
	if err := r.fill(len(h)); err != nil {
		return h, err
	}
	copy(h[:], r.buf[r.start:])
	r.start += len(h)
	return h, nil
}

// Ready reports whether Next would return without reading from the source, either with a
// buffered frame or with the error of a buffered frame.
func (r *Reader) Ready() bool {
	have := r.end - r.start
	if have < headerSize {
		return false
	}
	size := binary.BigEndian.Uint32(r.buf[r.start+3:])
	return size > r.max || have >= headerSize+int(size)+1
}

// Next returns the next frame. Its payload is valid until the next call. The error is a
// *SizeError, an *EndError or an error of the source. After a *SizeError or *EndError, the
// Reader is unusable. The error is io.EOF only between frames.
func (r *Reader) Next() (Frame, error) {
	if err := r.fill(headerSize); err != nil {
		return Frame{}, err
	}
	h := r.buf[r.start:]
	f := Frame{Type: h[0], Channel: binary.BigEndian.Uint16(h[1:])}
	size := binary.BigEndian.Uint32(h[3:])
	if size > r.max {
		return f, &SizeError{Type: f.Type, Channel: f.Channel, Size: size, Max: r.max}
	}
	total := headerSize + int(size) + 1
	if err := r.fill(total); err != nil {
		return f, err
	}
	f.Payload = r.buf[r.start+headerSize : r.start+total-1 : r.start+total-1]
	last := r.buf[r.start+total-1]
	r.start += total
	if last != End {
		return f, &EndError{Frame: f, Got: last}
	}
	return f, nil
}

// fill reads until n octets are buffered.
func (r *Reader) fill(n int) error {
	if r.end-r.start >= n {
		return nil
	}
	r.makeRoom(n)
	for empty := 0; r.end-r.start < n; {
		got, err := r.src.Read(r.buf[r.end:])
		r.end += got
		if r.calm++; r.end-r.start > initialBuffer {
			r.calm = 0
		}
		if got == 0 {
			if empty++; err == nil && empty == 100 {
				err = io.ErrNoProgress
			}
		}
		if err != nil && r.end-r.start < n {
			if err == io.EOF && r.end > r.start {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom moves the buffered bytes to the front. It uses a larger buffer if n octets would
// not fit or if the last read filled the buffer, and the initial size again once the connection
// is quiet.
func (r *Reader) makeRoom(n int) {
	size := len(r.buf)
	switch {
	case r.end == size && size < fullBuffer:
		size *= 4
	case r.calm >= calmReads:
		size, r.calm = initialBuffer, 0
	}
	if size < n {
		// At most frame_max and its overhead, because the caller checked n against the limit.
		size = n
	}
	if size == len(r.buf) {
		copy(r.buf, r.buf[r.start:r.end])
	} else {
		grown := make([]byte, size)
		copy(grown, r.buf[r.start:r.end])
		r.buf = grown
	}
	r.end -= r.start
	r.start = 0
}
