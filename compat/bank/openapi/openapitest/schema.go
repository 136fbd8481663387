package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bkledger/bk/compat/bank/openapi"
)

// Load gives the document.
func Load() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(openapi.Document()) }

// LoadStrict gives the document with every object of an answer that lists its fields refusing others. What a client may send stays open.
func LoadStrict() (*openapi3.T, error) {
	doc, err := Load()
	if err != nil {
		return nil, err
	}
	s := sealer{}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, response := range op.Responses.Map() {
				s.seal(response.Value)
			}
		}
	}
	for _, response := range doc.Components.Responses {
		s.seal(response.Value)
	}
	return doc, nil
}

// sealer knows the schemas that it has been at.
type sealer map[*openapi3.Schema]bool

func (s sealer) seal(response *openapi3.Response) {
	for _, content := range response.Content {
		s.schema(content.Schema)
	}
}

func (s sealer) schema(ref *openapi3.SchemaRef) {
	if ref == nil || s[ref.Value] {
		return
	}
	schema := ref.Value
	s[schema] = true
	if len(schema.Properties) > 0 {
		schema.AdditionalProperties.Has = new(bool)
	}
	for _, property := range schema.Properties {
		s.schema(property)
	}
	s.schema(schema.Items)
}

// Fits says why a JSON text does not fit a schema, nil if it does.
func Fits(schema *openapi3.SchemaRef, text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more behind the JSON value")
	}
	return schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
}
