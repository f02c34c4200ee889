package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/bbebcec1/amqprpc-go/schema"
)

// An Invoice is a message.
type Invoice struct {
	Number int32      `json:"number" jsonschema:"description=as printed,minimum=1"`
	Lines  [2]string  `json:"lines"`
	Paid   *time.Time `json:"paid,omitempty"`
}

func ExampleOf() {
	s, err := schema.Of(reflect.TypeFor[Invoice]())
	if err != nil {
		fmt.Println(err)
		return
	}
	var pretty bytes.Buffer
	json.Indent(&pretty, s, "", "  ")
	fmt.Println(pretty.String())

	_, err = schema.Of(reflect.TypeFor[map[string]chan Invoice]())
	fmt.Println(err)
	// Output:
	// {
	//   "$schema": "https://json-schema.org/draft/2020-12/schema",
	//   "properties": {
	//     "number": {
	//       "type": "integer",
	//       "maximum": 2147483647,
	//       "minimum": 1,
	//       "description": "as printed"
	//     },
	//     "lines": {
	//       "items": {
	//         "type": "string"
	//       },
	//       "type": "array",
	//       "maxItems": 2,
	//       "minItems": 2
	//     },
	//     "paid": {
	//       "anyOf": [
	//         {
	//           "type": "string",
	//           "format": "date-time"
	//         },
	//         {
	//           "type": "null"
	//         }
	//       ]
	//     }
	//   },
	//   "additionalProperties": true,
	//   "type": "object",
	//   "required": [
	//     "number",
	//     "lines"
	//   ]
	// }
	// schema: map[string]chan schema_test.Invoice[]: JSON cannot encode the type chan schema_test.Invoice
}
