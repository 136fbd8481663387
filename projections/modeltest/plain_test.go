package modeltest_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestModelIsPlain: the model knows nothing but the standard library, so nothing of what it is to test.
func TestModelIsPlain(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			checked++
			if path, err := strconv.Unquote(spec.Path.Value); err != nil || strings.Contains(path, ".") {
				t.Errorf("%s imports %s", name, spec.Path.Value)
			}
		}
	}
	if checked == 0 {
		t.Error("no file was looked at")
	}
}
