package bk_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/bkledger/bk/"

// mayImport says which packages of the module the product code below a folder may import, by prefix. The most specific folder counts.
var mayImport = map[string][]string{
	"ledger":               {},
	"ledger/dayroll":       {"ledger"},
	"ledger/journal":       {"ledger"},
	"ledger/publisher":     {"ledger"},
	"projections":          {"ledger", "projections"},
	"migrations":           {},
	"migrations/embedded":  {"migrations"},
	"migrations/await":     {},
	"migrations/testlog":   {},
	"migrations/pgtest":    {"migrations"},
	"migrations/kafkatest": {"migrations"},
	"api/gen":              {"api/gen"},
	"api/wire":             {"api/gen", "ledger"},
	"api/tradefile":        {"api/gen", "ledger"},
	"api/bulk":             {"api/bulk", "api/gen", "api/wire", "ledger", "migrations", "projections"},
	"api":                  {"api", "ledger", "projections", "migrations"},
	"bench":                {"api", "bench", "ledger", "migrations", "projections"},
	"cmd":                  {"api", "bench", "cmd/readyfile", "ledger", "migrations", "projections"},
	"compat":               {"api/client", "api/gen", "compat", "ledger", "migrations"},
	"compat/bank":          {"compat/bank"}, // what stands for the legacy system knows nothing of BK
	"compat/stage":         {"api/client", "api/node", "compat", "migrations"},
	"compat/bootstrap":     {"api/bulk", "api/client", "api/gen", "api/node", "api/wire", "compat", "ledger", "migrations"},
	"compat/demo":          {"api/client", "api/gen", "api/node", "compat", "migrations"},
	"compat/rates":         {"compat", "migrations"},
	"compat/contract":      {}, // black box: URLs only
	"cmd/hotswap":          {"api/bulk", "api/client", "api/node", "cmd/readyfile", "compat", "migrations"},
}

// outside says what may be imported from elsewhere where that is narrow: the domain is plain Go.
var outside = map[string][]string{
	"ledger": {}, // the standard library only
}

// TestDirectionOfImports holds the code against the structure: the domain knows nobody, the journal, publisher and projections know the
// domain, the API knows those, and programs know the API. SQL driver and Kafka client stay where they belong.
func TestDirectionOfImports(t *testing.T) {
	checked := 0
	eachFile(t, func(folder string, imports []string) {
		rule := ruleFor(folder)
		if rule == "" {
			t.Errorf("%s: no rule says what it may import", folder)
			return
		}
		for _, path := range imports {
			checked++
			if inside, ok := strings.CutPrefix(path, module); ok {
				if !slices.ContainsFunc(mayImport[rule], func(allowed string) bool { return inside == allowed || strings.HasPrefix(inside, allowed+"/") }) {
					t.Errorf("%s must not import %s", folder, path)
				}
			} else if allowed, narrow := outside[folder]; narrow && strings.Contains(path, ".") && !slices.Contains(allowed, path) {
				t.Errorf("%s must not import %s", folder, path)
			}
			if strings.HasPrefix(path, "github.com/twmb/franz-go") && !strings.HasPrefix(folder, "ledger/publisher") && !strings.HasPrefix(folder, "migrations/") &&
				!strings.HasPrefix(folder, "bench") && !strings.HasPrefix(folder, "cmd") &&
				!strings.HasPrefix(folder, "compat/bank/legacy") && !strings.HasPrefix(folder, "compat/facade/follow") &&
				!strings.HasPrefix(folder, "compat/bankstream") && !strings.HasPrefix(folder, "compat/parity/landing") {
				t.Errorf("%s must not talk to Kafka itself (%s)", folder, path)
			}
			if strings.HasPrefix(path, "github.com/duckdb/") && folder != "compat/parity/duck" {
				t.Errorf("%s must not open DuckDB itself (%s)", folder, path)
			}
		}
	})
	if checked < 100 {
		t.Errorf("only %d imports were checked", checked)
	}
}

func ruleFor(folder string) string {
	for f := folder; f != "."; f = filepath.Dir(f) {
		if _, ok := mayImport[f]; ok {
			return f
		}
	}
	return ""
}

func eachFile(t *testing.T, visit func(folder string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, p)
		}
		visit(filepath.ToSlash(filepath.Dir(path)), imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
