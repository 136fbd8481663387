package cutover

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func nothing(string) (string, bool) { return "", false }

// settings fill the shipped runbooks' variables.
func settings() map[string]string {
	return map[string]string{
		"bank_db": "postgres://bank:secret-of-bank@127.0.0.1:1/bank", "facade_db": "postgres://f@127.0.0.1:1/f", "bk_db": "postgres://bk@127.0.0.1:1/bk", "kafka": "127.0.0.1:9", "replicas": "3", "soak": "1h",
	}
}

func TestShippedRunbooks(t *testing.T) {
	t.Parallel()
	stages := []string{"bank-primary-bk-secondary", "bk-primary-bank-secondary", "bk-only", StageFinal}
	names := Shipped()
	if len(names) != len(stages) {
		t.Fatalf("%v", names)
	}
	for i, name := range names {
		text, err := ShippedText(name)
		if err != nil {
			t.Fatal(err)
		}
		set := settings()
		if !strings.Contains(string(text), "  kafka:") {
			delete(set, "kafka")
		}
		if !strings.Contains(string(text), "  soak:") {
			delete(set, "soak")
		}
		book, err := Parse(text, set, nothing)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if book.Name != name || book.Stage != stages[i] || len(book.Steps) < 5 || book.Steps[0].Wait.Until[1].Ready.Replicas != 3 {
			t.Errorf("%+v", book)
		}
		back, point := 0, 0
		for _, s := range book.Steps {
			back += len(s.Back)
			if s.PointOfNoReturn != nil {
				point++
			}
			if s.Name == "soak" && s.Wait.For != time.Hour {
				t.Errorf("%s", s.Wait.For)
			}
		}
		if last := i == len(names)-1; last && (back > 0 || point != 1) || !last && (back == 0 || point != 0) {
			t.Errorf("%s: %d steps back, %d points of no return", name, back, point)
		}
	}
	if _, err := ShippedText("stage-9"); !errors.Is(err, ErrRunbook) || !strings.Contains(err.Error(), "stage-4-final") {
		t.Errorf("%v", err)
	}
}

const small = `name: small
stage: bk-only
arm-for: 1h
variables:
  word: {about: "a word", default: GO}
  key: {about: "a key", env: THE_KEY, secret: true, default: "sesame-sesame"}
targets:
  facade: http://127.0.0.1:1
  databases:
    main: postgres://me:hidden-password@127.0.0.1:1/x
steps:
  - name: one
    command: {argv: ["/bin/echo", "${word} $${word}"]}
    effects: none
  - name: two
    approve: {ask: "Well?", word: "${word}"}
`

func TestVariables(t *testing.T) {
	t.Parallel()
	book, err := Parse([]byte(small), map[string]string{"word": "YES"}, func(name string) (string, bool) { return "of the environment", name == "THE_KEY" })
	if err != nil {
		t.Fatal(err)
	}
	if got := book.Steps[0].Command.Argv[1]; got != "YES ${word}" || book.Steps[1].Approve.Word != "YES" || book.values["key"] != "of the environment" {
		t.Errorf("%q, %+v, %v", got, book.Steps[1].Approve, book.values)
	}
	public := book.public()
	if public["key"] != hidden || public["word"] != "YES" {
		t.Errorf("%v", public)
	}
	other, err := Parse([]byte(small), nil, nothing)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := book.fingerprint()
	b, _ := other.fingerprint()
	if book.Hash() != other.Hash() || a == b {
		t.Error("the same file has the same hash, and another variable another fingerprint")
	}
	red := newRedactor(book.secrets())
	if got := red.text("postgres://me:hidden-password@127.0.0.1:1/x and hidden-password, of the environment"); got != "*** and ***, ***" {
		t.Errorf("%q", got)
	}
}

// TestBadRunbooks: each error names line and field.
func TestBadRunbooks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown field":        {"approve: {ask", "approve: {question", `line 16: steps[1].approve: there is no field "question"; there are ask, word, another`},
		"unknown at the top":   {"stage: bk-only", "stages: bk-only", `line 2: the runbook: there is no field "stages"`},
		"stage":                {"stage: bk-only", "stage: bk", `line 2: stage: "bk" is no mode, nor final`},
		"arm":                  {"arm-for: 1h", "arm-for: 1s", "line 3: arm-for: 1s is not between"},
		"duration":             {"arm-for: 1h", "arm-for: soon", "line 3: cannot unmarshal"},
		"URL":                  {"facade: http://127.0.0.1:1", "facade: there", "line 8: targets.facade: "},
		"DSN":                  {"postgres://me:hidden-password@127.0.0.1:1/x", "\"postgres://me:hidden-password@[\"", "line 9: targets.databases: databases.main: it is no DSN"},
		"two kinds":            {"effects: none\n", "effects: none\n    wait: {for: 1s}\n", "line 12: steps[0]: a step is one of"},
		"no kind":              {"    command: {argv: [\"/bin/echo\", \"${word} $${word}\"]}\n    effects: none\n", "    timeout: 1s\n", "this is 0 of them"},
		"no way back":          {"    effects: none\n", "", "line 12: steps[0]: it has effects, so it needs back"},
		"effects of approval":  {"approve: {ask", "effects: none\n    approve: {ask", "line 15: steps[1]: effects and idempotent are said of"},
		"same name":            {"name: two", "name: one", "line 15: steps[1].name: there is another step one"},
		"name":                 {"name: two", "name: Step two", "line 15: steps[1].name: needed: small letters"},
		"variable":             {"\"${word}\"", "\"${wort}\"", `line 16: ${wort}: there is no variable "wort"`},
		"needed variable":      {"{about: \"a word\", default: GO}", "{about: \"a word\"}", "line 5: variables.word: needed (a word): --set word=..."},
		"gate":                 {"name: two", "name: two\n    gates: [{disk: {path: /}}]", "line 16: steps[1].gates[0].disk: disk.path: with free"},
		"gate without kind":    {"name: two", "name: two\n    gates: [{within: 1s}]", "line 16: steps[1].gates[0]"},
		"gate of two kinds":    {"name: two", "name: two\n    gates: [{ready: {}, none-blocked: {}}]", "a gate is of one kind"},
		"gate without target":  {"name: two", "name: two\n    gates: [stream-lag: {}]", "line 16: steps[1].gates[0].stream-lag: stream-lag: it needs targets.streams"},
		"gate without {}":      {"name: two", "name: two\n    gates:\n      - ready:", "line 17: steps[1].gates[0].ready: it has no value; without parameters it is ready: {}"},
		"after":                {"name: two", "name: two\n    gates: [{ready: {}, after: one}]", `line 16: steps[1].gates[0].after: "one" is no step before this one that has effects`},
		"size":                 {"name: two", "name: two\n    gates: [{disk: {path: /, free: much}}]", `line 16: steps[1].gates[0].disk.free: "much" is no size`},
		"final too early":      {"approve: {ask: \"Well?\", word: \"${word}\"}", "mode: {final: true}", "line 16: steps[1].mode.final: it goes behind the point-of-no-return only"},
		"mode":                 {"approve: {ask: \"Well?\", word: \"${word}\"}", "mode: {to: bank}\n    back: []", `line 16: steps[1].mode.to: mode: "bank" is none of`},
		"twice":                {"stage: bk-only", "stage: bk-only\nstage: bk-only", `mapping key "stage" already defined at line 2`},
		"database":             {"approve: {ask: \"Well?\", word: \"${word}\"}", "sql: {database: other, statement: SELECT}\n    effects: none", `line 16: steps[1].sql.database: "other" is none of targets.databases`},
		"asks on the way back": {"    effects: none\n", "    back: [{name: three, approve: {ask: x, word: y}}]\n", "the way back asks nobody"},
		"no YAML":              {"name: small", "name: [small", "yaml: "},
		"two documents":        {"name: small", "---\nname: other\n---\nname: small", "more than one document"},
		"a list":               {small, "- one\n", "line 1: it is no mapping"},
		"alias":                {"name: two", "name: &x two\n    about: *x", "line 16: steps[1].about: aliases are not taken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(small, c.from, c.to, 1)
			if text == small {
				t.Fatal("nothing was replaced")
			}
			_, err := Parse([]byte(text), nil, nothing)
			if !errors.Is(err, ErrRunbook) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hidden-password") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
	if _, err := Parse([]byte(small), map[string]string{"wort": "x"}, nothing); err == nil || !strings.Contains(err.Error(), "--set wort: there is no such variable; there are hotswap, key, word") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte(strings.Repeat("#", maxFile+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil, nothing); !errors.Is(err, ErrRunbook) {
		t.Errorf("%v", err)
	}
}
