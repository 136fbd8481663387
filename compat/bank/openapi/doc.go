// Package openapi holds the description of Bank's API: openapi.yaml (OpenAPI 3.1), from which clients in other languages are generated. It describes what the
// contract says, for whichever system answers under Bank's name: both listeners, every route, every field with its bounds, and for each
// route every type of error by status.
//
// # What keeps it true
//
//   - The document is valid, and so are its examples (document_test.go).
//   - It has the contract's routes and no others, on the listener where they are, and package bank's types of error, in their order of precedence,
//     under their status (document_test.go).
//   - Its answers have the fields of package bank's types, and those that are never left out are required (fields_test.go).
//   - What a request's schema takes and refuses, package bank's readers take and refuse (requests_test.go).
//   - What running systems answer fits it, field by field, with nothing that it does not name: any test can look at a system through package openapitest.
//
// A schema cannot say everything: that a day is real, that a settlement is not before its trade, that a product has too many digits. The
// descriptions do.
package openapi

import _ "embed"

//go:embed openapi.yaml
var document []byte

// Document gives openapi.yaml. The caller may change its copy.
func Document() []byte { return append([]byte(nil), document...) }
