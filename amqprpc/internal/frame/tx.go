package frame

// TxSelect (tx.select) makes the channel transactional.
type TxSelect struct{}

// ID returns [IDTxSelect].
func (*TxSelect) ID() ID { return IDTxSelect }

func (*TxSelect) parse(*decoder) {}

func (*TxSelect) append(dst []byte) []byte { return dst }

// TxSelectOk (tx.select-ok) answers Select.
type TxSelectOk struct{}

// ID returns [IDTxSelectOk].
func (*TxSelectOk) ID() ID { return IDTxSelectOk }

func (*TxSelectOk) parse(*decoder) {}

func (*TxSelectOk) append(dst []byte) []byte { return dst }

// TxCommit (tx.commit) commits the transaction and starts a new one.
type TxCommit struct{}

// ID returns [IDTxCommit].
func (*TxCommit) ID() ID { return IDTxCommit }

func (*TxCommit) parse(*decoder) {}

func (*TxCommit) append(dst []byte) []byte { return dst }

// TxCommitOk (tx.commit-ok) answers Commit.
type TxCommitOk struct{}

// ID returns [IDTxCommitOk].
func (*TxCommitOk) ID() ID { return IDTxCommitOk }

func (*TxCommitOk) parse(*decoder) {}

func (*TxCommitOk) append(dst []byte) []byte { return dst }

// TxRollback (tx.rollback) discards the transaction and starts a new one.
type TxRollback struct{}

// ID returns [IDTxRollback].
func (*TxRollback) ID() ID { return IDTxRollback }

func (*TxRollback) parse(*decoder) {}

func (*TxRollback) append(dst []byte) []byte { return dst }

// TxRollbackOk (tx.rollback-ok) answers Rollback.
type TxRollbackOk struct{}

// ID returns [IDTxRollbackOk].
func (*TxRollbackOk) ID() ID { return IDTxRollbackOk }

func (*TxRollbackOk) parse(*decoder) {}

func (*TxRollbackOk) append(dst []byte) []byte { return dst }
