package frame

// ConfirmSelect (confirm.select) turns publisher confirms on.
type ConfirmSelect struct {
	NoWait bool
}

// ID returns [IDConfirmSelect].
func (*ConfirmSelect) ID() ID { return IDConfirmSelect }

func (m *ConfirmSelect) parse(d *decoder) {
	m.NoWait = bit(d.uint8(), 0)
}

func (m *ConfirmSelect) append(dst []byte) []byte {
	return append(dst, bits(m.NoWait))
}

// ConfirmSelectOk (confirm.select-ok) answers Select.
type ConfirmSelectOk struct{}

// ID returns [IDConfirmSelectOk].
func (*ConfirmSelectOk) ID() ID { return IDConfirmSelectOk }

func (*ConfirmSelectOk) parse(*decoder) {}

func (*ConfirmSelectOk) append(dst []byte) []byte { return dst }
