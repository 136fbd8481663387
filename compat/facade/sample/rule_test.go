package sample

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rulefile "github.com/bkledger/bk/compat/rules"
)

const goodRules = `
rules:
  - name: settled-late
    owner: anna
    reason: BK settles at the roll's end (CHG-12)
    expires: 2099-12-31
    route: /accounts/{account_id}/positions
    path: $.data[*].settled_quantity
    kind: value
  - {name: free-text, owner: ben, reason: kept otherwise, expires: "2099-01-01", path: "$.user_data.**"}
`

func TestReadRules(t *testing.T) {
	t.Parallel()
	write := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	rules, err := ReadRules(write("rules.yaml", goodRules))
	must(t, err)
	got := rules.All()
	if len(got) != 2 || got[0].Owner != "anna" || got[0].Kind != Value || got[1].Path != "$.user_data.**" || got[1].Reason != "kept otherwise" {
		t.Errorf("%+v", got)
	}
	if !got[0].Expires.Equal(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) || !got[1].Expires.Equal(time.Date(2099, 1, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v: not the ends of the days", got[0].Expires, got[1].Expires)
	}
	rules, err = ReadRules(write("rules.JSON", `{"rules":[{"name":"a","owner":"b","reason":"c","expires":"2099-12-31","kind":"order"}]}`))
	must(t, err)
	if len(rules.All()) != 1 || rules.All()[0].Kind != Order {
		t.Errorf("%+v", rules.All())
	}
	rules, err = ReadRules(write("empty.yaml", "# none\nrules: []\n"))
	must(t, err)
	if len(rules.All()) != 0 {
		t.Errorf("%+v", rules.All())
	}

	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"no YAML":  {"a.yaml", "rules: [", []string{"a.yaml"}},
		"no JSON":  {"a.json", goodRules, []string{"a.json"}},
		"long":     {"a.yaml", strings.Repeat("# comment\n", rulefile.MaxFile/10+1), []string{"longer than"}},
		"no list":  {"a.yaml", "rules: 5\nrule: 3\n", []string{"rules: is no list", "rule: no such field"}},
		"no rule":  {"a.yaml", "rules: [5]", []string{"rules[0]: is not made of fields"}},
		"of shape": {"a.yaml", "rules: [{name: 5, expires: soon, color: red}, {expires: 2026-02-30}]", []string{"rules[0].name: is no text", "rules[0].expires: soon is no day", "rules[0].color: no such field", "rules[1].expires: 2026-02-30 is no day"}},
		"of content": {"a.yaml", `
rules:
  - {name: a b, owner: " ", expires: 2099-01-01, route: /nowhere, path: data, kind: odd}
  - {name: x, owner: o, reason: r, path: $.a}
  - {name: x, owner: o, reason: r, expires: 2099-01-01}
`, []string{
			`rules[0].name: "a b"`, "rules[0].owner: needed", "rules[0].reason: needed", `rules[0].route: "/nowhere"`, `rules[0].path: "data": does not begin with $`, `rules[0].kind: "odd"`,
			"rules[1].expires: needed", `rules[2].name: "x" is taken`, "rules[2].route: one of route, path and kind is needed",
		}},
		"too many": {"a.yaml", "rules: [" + strings.Repeat("{name: x},", rulefile.MaxRules+1) + "]", []string{"201 are more than 200"}},
	} {
		_, err := ReadRules(write(c.file, c.text))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in\n%v", name, want, err)
			}
		}
	}
	if _, err := ReadRules(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that isn't there is read")
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	row := func(text string) step { return step{text, true} }
	name := func(text string) step { return step{text: text} }
	at := path{name("data"), row("symbol=A"), name("fees"), name("a b")}
	if at.String() != `$.data[symbol=A].fees["a b"]` {
		t.Error(at)
	}
	for pattern, want := range map[string]bool{
		`$.data[symbol=A].fees["a b"]`: true, `$.data[*].fees.*`: true, `$.data[*].**`: true, `$.**`: true, `$.*[*].*.*`: true,
		`$`: false, `$.data[*].fees`: false, `$.data[*].fees.*.*`: false, `$.data.*.fees.*`: false, `$.data[symbol=B].fees.*`: false, `$.data[*][*].*`: false,
	} {
		p, err := parsePattern(pattern)
		must(t, err)
		if p.matches(at) != want {
			t.Errorf("%s: %t", pattern, !want)
		}
	}
	if p, err := parsePattern("$"); err != nil || !p.matches(path{}) {
		t.Errorf("$ does not fit the whole answer (%v)", err)
	}
	for _, bad := range []string{"", "data", "$data", "$.", "$..a", "$.a.**.b", "$[]", "$[a", `$["a]`, `$["a"`, `$["a"x]`, "$.a b", "$.**[0]"} {
		if p, err := parsePattern(bad); err == nil {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	later, earlier := now.Add(time.Second), now
	rules, err := NewRules([]Rule{
		{Name: "old", Owner: "o", Reason: "r", Expires: earlier, Path: "$.price"},
		{Name: "new", Owner: "o", Reason: "r", Expires: later, Path: "$.price", Kind: Value, Route: "/trades/{trade_id}"},
		{Name: "statuses", Owner: "o", Reason: "r", Expires: later, Kind: Status},
	})
	must(t, err)
	price := path{{text: "price"}}
	routes := newRoutes()
	for name, c := range map[string]struct {
		target        string
		d             difference
		rule, expired string
	}{
		"in force":      {"/trades/1", difference{kind: Value, at: price}, "new", ""},
		"another kind":  {"/trades/1", difference{kind: MissingField, at: price}, "", "old"},
		"another route": {"/trades", difference{kind: Value, at: price}, "", "old"},
		"another path":  {"/trades/1", difference{kind: Value, at: price.with(step{text: "x"})}, "", ""},
		"any path":      {"/business-date", difference{kind: Status}, "statuses", ""},
	} {
		if rule, expired := rules.explain(find(routes, c.target), c.d, now); rule != c.rule || expired != c.expired {
			t.Errorf("%s: %q, %q", name, rule, expired)
		}
	}
	if rule, expired := rules.explain(find(routes, "/trades/1"), difference{kind: Value, at: price}, later); rule != "" || expired != "old" {
		t.Errorf("after all have expired: %q, %q", rule, expired)
	}
}
