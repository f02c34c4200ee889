package discovery

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// AsyncAPI returns an AsyncAPI 3.1 document of the server and its methods, as indented JSON.
// It needs no broker: a program for go generate registers the handlers and calls AsyncAPI.
// Messages have payloads if the server has WithSchemas. The same program has the same document
// each time. The error is that of [amqprpc.Server.Describe].
func AsyncAPI(srv *amqprpc.Server) ([]byte, error) {
	info, err := srv.Describe()
	if err != nil {
		return nil, err
	}
	return AsyncAPIOf(info)
}

// AsyncAPIOf returns one AsyncAPI 3.1 document of all methods in the descriptions, as indented
// JSON. The order of the descriptions does not matter.
//
// If several servers have a method, the description of the newest version counts, and of equal
// versions that of the server that started last. The document says how others differ. A
// service without a version has "0.0.0".
//
// The document has no servers, so that it is true for every broker. A reference in a schema to
// another document is left out. The document is what the servers say, unchecked.
func AsyncAPIOf(infos ...describe.Info) ([]byte, error) {
	b := &apiBuilder{ids: uniqueNames{}, schemas: uniqueNames{"Error": 1}, refs: make(map[string]json.RawMessage)}
	b.doc = apiDocument{
		AsyncAPI: "3.1.0", Info: apiInfoOf(infos), DefaultContentType: jsonType,
		Channels: make(map[string]apiChannel), Operations: make(map[string]apiOperation),
		Components: apiComponents{Schemas: make(map[string]json.RawMessage)},
	}
	methods := newestMethods(infos)
	ids := make([]string, len(methods))
	for i, m := range methods {
		ids[i] = b.ids.take(m.Queue)
	}
	several := len(newestServices(infos)) > 1
	for i, m := range methods {
		if !several {
			m.service = "" // the document says it
		}
		b.add(ids[i], m)
	}
	if len(methods) > 0 {
		b.doc.Components.Schemas["Error"] = errorSchema
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(b.doc); err != nil {
		return nil, fmt.Errorf("discovery: AsyncAPI: %w", err)
	}
	return text.Bytes(), nil
}

// newestServices returns the newest description of each service, by name.
func newestServices(infos []describe.Info) map[string]describe.Info {
	byName := make(map[string]describe.Info)
	for _, i := range infos {
		if old, known := byName[i.Name]; !known || newest(i, old) < 0 {
			byName[i.Name] = i
		}
	}
	return byName
}

// apiInfoOf describes the service, or all of them.
func apiInfoOf(infos []describe.Info) apiInfo {
	byName := newestServices(infos)
	names := slices.Sorted(maps.Keys(byName))
	if len(names) == 1 {
		i := byName[names[0]]
		metadata := maps.Clone(i.Metadata)
		delete(metadata, "$ref") // tools would take it for a reference
		return apiInfo{Title: cmp.Or(i.Name, "amqprpc"), Version: cmp.Or(i.Version, "0.0.0"), Description: i.Description, Metadata: metadata}
	}
	var lines []string
	for _, name := range names {
		i := byName[name]
		line := "- " + name
		if i.Version != "" {
			line += " " + i.Version
		}
		if i.Description != "" {
			line += ": " + i.Description
		}
		lines = append(lines, line)
	}
	return apiInfo{Title: cmp.Or(strings.Join(names, ", "), "amqprpc"), Version: "0.0.0", Description: strings.Join(lines, "\n")}
}

// apiBuilder collects the parts of a document.
type apiBuilder struct {
	doc     apiDocument
	ids     uniqueNames                // of channels
	schemas uniqueNames                // in components
	refs    map[string]json.RawMessage // to the schemas, by the name of their type and themselves
}
