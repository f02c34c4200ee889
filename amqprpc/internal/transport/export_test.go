package transport

import "time"

// Explain is explain, of a failure that took that long.
func (d *Dialer) Explain(err error, took time.Duration) error { return d.explain(err, took) }

// LostTo is lostTo, ClosedBy is closedBy.
var LostTo, ClosedBy = lostTo, closedBy

// Number is the channel's number on its connection.
func (ch *Channel) Number() uint16 { return ch.assembly.channel }
