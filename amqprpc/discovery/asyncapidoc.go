package discovery

import (
	"encoding/json"
	"strings"
)

// The parts of an AsyncAPI document that this package writes
// (https://www.asyncapi.com/docs/reference/specification/v3.1.0).
type (
	apiDocument struct {
		AsyncAPI           string                  `json:"asyncapi"`
		Info               apiInfo                 `json:"info"`
		DefaultContentType string                  `json:"defaultContentType"`
		Channels           map[string]apiChannel   `json:"channels"`
		Operations         map[string]apiOperation `json:"operations"`
		Components         apiComponents           `json:"components"`
	}

	apiInfo struct {
		Title       string            `json:"title"`
		Version     string            `json:"version"`
		Description string            `json:"description,omitempty"`
		Metadata    map[string]string `json:"x-metadata,omitempty"`
	}

	apiChannel struct {
		Address     *string               `json:"address"` // null is not known beforehand
		Description string                `json:"description,omitempty"`
		Messages    map[string]apiMessage `json:"messages"`
		Bindings    *apiChannelBindings   `json:"bindings,omitempty"`
	}

	apiMessage struct {
		Name          string          `json:"name"`
		Title         string          `json:"title,omitempty"`
		Description   string          `json:"description,omitempty"`
		ContentType   string          `json:"contentType,omitempty"`
		CorrelationID *apiAddress     `json:"correlationId,omitempty"`
		Headers       json.RawMessage `json:"headers,omitempty"`
		Payload       json.RawMessage `json:"payload,omitempty"`
		Examples      []apiExample    `json:"examples,omitempty"`
	}

	apiExample struct {
		Payload json.RawMessage `json:"payload"`
	}

	apiOperation struct {
		Action      string               `json:"action"`
		Channel     apiReference         `json:"channel"`
		Title       string               `json:"title"`
		Description string               `json:"description,omitempty"`
		Messages    []apiReference       `json:"messages"`
		Reply       *apiReply            `json:"reply,omitempty"`
		Bindings    apiOperationBindings `json:"bindings"`
		Facts       apiFacts             `json:"x-amqprpc"`
	}

	apiReply struct {
		Address  apiAddress     `json:"address"`
		Channel  apiReference   `json:"channel"`
		Messages []apiReference `json:"messages"`
	}

	apiAddress struct {
		Location string `json:"location"`
	}

	apiReference struct {
		Ref string `json:"$ref"`
	}

	apiComponents struct {
		Schemas map[string]json.RawMessage `json:"schemas,omitempty"`
	}
)

// apiFacts is what AsyncAPI has no field for.
type apiFacts struct {
	Kind      string       `json:"kind"`
	Service   string       `json:"service,omitempty"` // if there are several
	Delivery  string       `json:"delivery,omitempty"`
	Codecs    []string     `json:"codecs,omitempty"`
	Broadcast bool         `json:"broadcast,omitempty"`
	TimeoutMS int64        `json:"timeout_ms,omitempty"`
	Stream    *apiStream   `json:"stream,omitempty"`
	Others    []difference `json:"others,omitempty"` // how servers with other descriptions differ
}

// apiStream has the messages of a stream after the first.
type apiStream struct {
	Request  *apiReference `json:"request,omitempty"`
	Response apiReference  `json:"response"`
	channel  string
}

type apiChannelBindings struct {
	AMQP struct {
		Is    string `json:"is"`
		Queue struct {
			Name       string `json:"name"`
			Durable    bool   `json:"durable"`
			Exclusive  bool   `json:"exclusive"`
			AutoDelete bool   `json:"autoDelete"`
		} `json:"queue"`
		BindingVersion string `json:"bindingVersion"`
	} `json:"amqp"`
}

// queueBinding describes a queue as a server declares it by default.
func queueBinding(name string) *apiChannelBindings {
	b := new(apiChannelBindings)
	b.AMQP.Is, b.AMQP.BindingVersion = "queue", "0.3.0"
	b.AMQP.Queue.Name, b.AMQP.Queue.Durable = name, true
	return b
}

type apiOperationBindings struct {
	AMQP struct {
		Ack            bool   `json:"ack"`
		BindingVersion string `json:"bindingVersion"`
	} `json:"amqp"`
}

func ackBinding() (b apiOperationBindings) {
	b.AMQP.Ack, b.AMQP.BindingVersion = true, "0.3.0"
	return b
}

// apiRef refers to a part of the document. The names need no escaping.
func apiRef(path ...string) apiReference { return apiReference{"#/" + strings.Join(path, "/")} }

// addressOf returns the address of a queue, or nil if AsyncAPI would read more than a name in
// it: parameters, a query or a fragment. The binding has every name.
func addressOf(queue string) *string {
	if strings.ContainsAny(queue, "{}?#") {
		return nil
	}
	return &queue
}
