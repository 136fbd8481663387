package contract

import "testing"

// TestCases: a case is found by its name, and there are as many as the contract deserves.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	all := join(undatedCases(), datedCases(), rollingCases())
	for _, k := range all {
		if seen[k.name] {
			t.Errorf("two cases are called %q", k.name)
		}
		if seen[k.name] = true; k.ask == nil {
			t.Errorf("%q asks nothing", k.name)
		}
	}
	if len(all) < 300 {
		t.Errorf("only %d cases", len(all))
	}
	t.Logf("%d cases", len(all))
}

// TestDiffer: comparing JSON finds what differs and nothing else.
func TestDiffer(t *testing.T) {
	a := answer{t: t}
	for _, k := range []struct {
		got, want string
		some      bool
		at        string
	}{
		{`{"a":"1"}`, `{"a":"1"}`, false, ""},
		{`{"a":"1","b":2}`, `{"a":"1"}`, true, ""},
		{`{"a":"1","b":2}`, `{"a":"1"}`, false, "x.b is too much"},
		{`{"a":{"b":[1,{"c":null,"d":1}]}}`, `{"a":{"b":[1,{"c":null}]}}`, true, ""},
		{`{"a":{"b":[1,{"d":1}]}}`, `{"a":{"b":[1,{"c":null}]}}`, true, "x.a.b[1].c is missing"},
		{`[1]`, `[1,2]`, true, "x is [1], not 2 elements"},
		{`1.0`, `1`, true, `x is "1.0", not "1"`},
		{`"1"`, `1`, true, `x is "1", not "1"`},
		{`null`, `{}`, true, "x is <nil>, not an object"},
		{`true`, `false`, true, "x is true, not false"},
	} {
		if at := differ(a.parse(k.got), a.parse(k.want), k.some, "x"); at != k.at {
			t.Errorf("%s against %s: %q, not %q", k.got, k.want, at, k.at)
		}
	}
}
