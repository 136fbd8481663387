package upload

import (
	_ "embed" // of the tables
	"strings"
)

//go:embed upload.sql
var tables string

//go:embed upload_held.sql
var heldTables string

// Migrations gives the goose files that make the tables of a [Store] in a schema, in order. Its owner has them among its numbered migrations.
func Migrations(schema string) []string {
	return []string{strings.ReplaceAll(tables, "SCHEMA", schema), strings.ReplaceAll(heldTables, "SCHEMA", schema)}
}
