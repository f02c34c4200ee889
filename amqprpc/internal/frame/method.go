package frame

import (
	"encoding/binary"
	"fmt"
)

// ID has a method's class in the upper half and its number in the lower half.
type ID uint32

// Class returns the class's number.
func (id ID) Class() uint16 { return uint16(id >> 16) }

// Method returns the method's number within its class.
func (id ID) Method() uint16 { return uint16(id) }

const (
	classConnection = 10
	classChannel    = 20
	classAccess     = 30
	classExchange   = 40
	classQueue      = 50
	classBasic      = 60
	classConfirm    = 85
	classTx         = 90
)

// Every method of RabbitMQ.
const (
	IDConnectionStart          ID = classConnection<<16 | 10
	IDConnectionStartOk        ID = classConnection<<16 | 11
	IDConnectionSecure         ID = classConnection<<16 | 20
	IDConnectionSecureOk       ID = classConnection<<16 | 21
	IDConnectionTune           ID = classConnection<<16 | 30
	IDConnectionTuneOk         ID = classConnection<<16 | 31
	IDConnectionOpen           ID = classConnection<<16 | 40
	IDConnectionOpenOk         ID = classConnection<<16 | 41
	IDConnectionClose          ID = classConnection<<16 | 50
	IDConnectionCloseOk        ID = classConnection<<16 | 51
	IDConnectionBlocked        ID = classConnection<<16 | 60
	IDConnectionUnblocked      ID = classConnection<<16 | 61
	IDConnectionUpdateSecret   ID = classConnection<<16 | 70
	IDConnectionUpdateSecretOk ID = classConnection<<16 | 71

	IDChannelOpen    ID = classChannel<<16 | 10
	IDChannelOpenOk  ID = classChannel<<16 | 11
	IDChannelFlow    ID = classChannel<<16 | 20
	IDChannelFlowOk  ID = classChannel<<16 | 21
	IDChannelClose   ID = classChannel<<16 | 40
	IDChannelCloseOk ID = classChannel<<16 | 41

	IDAccessRequest   ID = classAccess<<16 | 10
	IDAccessRequestOk ID = classAccess<<16 | 11

	IDExchangeDeclare   ID = classExchange<<16 | 10
	IDExchangeDeclareOk ID = classExchange<<16 | 11
	IDExchangeDelete    ID = classExchange<<16 | 20
	IDExchangeDeleteOk  ID = classExchange<<16 | 21
	IDExchangeBind      ID = classExchange<<16 | 30
	IDExchangeBindOk    ID = classExchange<<16 | 31
	IDExchangeUnbind    ID = classExchange<<16 | 40
	IDExchangeUnbindOk  ID = classExchange<<16 | 51

	IDQueueDeclare   ID = classQueue<<16 | 10
	IDQueueDeclareOk ID = classQueue<<16 | 11
	IDQueueBind      ID = classQueue<<16 | 20
	IDQueueBindOk    ID = classQueue<<16 | 21
	IDQueuePurge     ID = classQueue<<16 | 30
	IDQueuePurgeOk   ID = classQueue<<16 | 31
	IDQueueDelete    ID = classQueue<<16 | 40
	IDQueueDeleteOk  ID = classQueue<<16 | 41
	IDQueueUnbind    ID = classQueue<<16 | 50
	IDQueueUnbindOk  ID = classQueue<<16 | 51

	IDBasicQos          ID = classBasic<<16 | 10
	IDBasicQosOk        ID = classBasic<<16 | 11
	IDBasicConsume      ID = classBasic<<16 | 20
	IDBasicConsumeOk    ID = classBasic<<16 | 21
	IDBasicCancel       ID = classBasic<<16 | 30
	IDBasicCancelOk     ID = classBasic<<16 | 31
	IDBasicPublish      ID = classBasic<<16 | 40
	IDBasicReturn       ID = classBasic<<16 | 50
	IDBasicDeliver      ID = classBasic<<16 | 60
	IDBasicGet          ID = classBasic<<16 | 70
	IDBasicGetOk        ID = classBasic<<16 | 71
	IDBasicGetEmpty     ID = classBasic<<16 | 72
	IDBasicAck          ID = classBasic<<16 | 80
	IDBasicReject       ID = classBasic<<16 | 90
	IDBasicRecoverAsync ID = classBasic<<16 | 100
	IDBasicRecover      ID = classBasic<<16 | 110
	IDBasicRecoverOk    ID = classBasic<<16 | 111
	IDBasicNack         ID = classBasic<<16 | 120

	IDConfirmSelect   ID = classConfirm<<16 | 10
	IDConfirmSelectOk ID = classConfirm<<16 | 11

	IDTxSelect     ID = classTx<<16 | 10
	IDTxSelectOk   ID = classTx<<16 | 11
	IDTxCommit     ID = classTx<<16 | 20
	IDTxCommitOk   ID = classTx<<16 | 21
	IDTxRollback   ID = classTx<<16 | 30
	IDTxRollbackOk ID = classTx<<16 | 31
)

// Method is a pointer to one of this package's method types.
type Method interface {
	ID() ID
	parse(d *decoder)
	append(dst []byte) []byte
}

// HasContent reports whether a content header and a body follow the method.
func (id ID) HasContent() bool {
	switch id {
	case IDBasicPublish, IDBasicReturn, IDBasicDeliver, IDBasicGetOk:
		return true
	}
	return false
}

// UnknownMethodError reports a method that does not exist.
type UnknownMethodError struct{ ID ID }

func (e *UnknownMethodError) Error() string {
	return fmt.Sprintf("frame: unknown method %d of class %d", e.ID.Method(), e.ID.Class())
}

// FieldsError reports fields that do not decode. Fields aliases the frame.
type FieldsError struct {
	ID     ID
	Fields []byte
}

func (e *FieldsError) Error() string {
	return fmt.Sprintf("frame: malformed fields of %s", e.ID)
}

// StringError reports an invalid short string of a method.
type StringError struct{ ID ID }

func (e *StringError) Error() string {
	return fmt.Sprintf("frame: invalid short string in %s", e.ID)
}

// MethodID returns the id at the front of a method frame's payload, and the fields after the
// id. It returns false if the payload is too short.
func MethodID(payload []byte) (ID, []byte, bool) {
	if len(payload) < 4 {
		return 0, nil, false
	}
	return ID(binary.BigEndian.Uint32(payload)), payload[4:], true
}

// ParseMethod decodes the fields of the method. Strings and tables are copies, but []byte
// fields alias fields. The error is an *UnknownMethodError or a *FieldsError.
func ParseMethod(id ID, fields []byte) (Method, error) { return ParseMethodStrings(id, fields, nil) }

// ParseMethodStrings is ParseMethod with a check of the short strings. The error for an
// invalid short string is a *StringError.
func ParseMethodStrings(id ID, fields []byte, valid func(short []byte) bool) (Method, error) {
	m := newMethod(id)
	if m == nil {
		return nil, &UnknownMethodError{ID: id}
	}
	d := decoder{b: fields, valid: valid}
	m.parse(&d)
	switch {
	case !d.done():
		return nil, &FieldsError{ID: id, Fields: fields}
	case d.invalid:
		return nil, &StringError{ID: id}
	}
	return m, nil
}

// AppendMethod adds m as a method frame.
func AppendMethod(dst []byte, channel uint16, m Method) []byte {
	dst, start := appendMethodStart(dst, channel, m.ID())
	dst = m.append(dst)
	return appendEnd(dst, start)
}

func appendMethodStart(dst []byte, channel uint16, id ID) ([]byte, int) {
	dst, start := appendStart(dst, TypeMethod, channel)
	return binary.BigEndian.AppendUint32(dst, uint32(id)), start
}
