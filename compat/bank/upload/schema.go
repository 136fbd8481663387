package upload

import (
	_ "embed" // of upload.sql
	"strings"
)

//go:embed upload.sql
var template string

// Migration gives the goose file that makes the tables of a [Store] in a schema. Its owner has it among its numbered migrations.
func Migration(schema string) string { return strings.ReplaceAll(template, "SCHEMA", schema) }
