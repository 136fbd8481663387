// Package openapitest holds what a system answers against the description of Bank's API: every answer has to be one that openapi.yaml has for that listener,
// route, method and status, and its body has to fit the schema, with no field that the schema does not name.
//
// [Around] puts a proxy before each listener of a system, which any test can use in the system's place. What does not fit fails the test; the answer goes on
// to the caller all the same.
//
// # Files
//
//	answers.go  which description an answer has, and whether it fits
//	schema.go   JSON and schemas
//	around.go   the proxies
package openapitest
