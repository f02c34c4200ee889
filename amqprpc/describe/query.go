package describe

// Query asks a server for one of its documents. A server that a filter excludes does not
// answer.
type Query struct {
	Type    string `json:"type"`              // of the document: TypePing, TypeInfo or TypeStats
	Service string `json:"service,omitempty"` // only servers with this name answer
	Queue   string `json:"queue,omitempty"`   // only servers that have a handler for this queue answer
}
