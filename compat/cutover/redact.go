package cutover

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	hidden = "***"
	// A secret that is shorter is not looked for: it would be found in everything.
	shortest = 4
)

// redactor takes secrets out of what is shown and kept.
type redactor struct{ plain, escaped *strings.Replacer }

func newRedactor(secrets []string) *redactor {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return len(s) < shortest })
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first: one may be a part of another
	var plain, escaped []string
	for _, s := range slices.Compact(secrets) {
		plain = append(plain, s, hidden)
		if text, err := json.Marshal(s); err == nil {
			escaped = append(escaped, string(text[1:len(text)-1]), hidden)
		}
	}
	return &redactor{strings.NewReplacer(plain...), strings.NewReplacer(escaped...)}
}

func (r *redactor) text(s string) string { return r.plain.Replace(s) }

// json gives a value as JSON without secrets.
func (r *redactor) json(value any) (json.RawMessage, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	return json.RawMessage(r.escaped.Replace(string(text))), nil
}

// secrets gives all of a runbook's.
func (r *Runbook) secrets() (all []string) {
	for name, d := range r.Variables {
		if d.Secret {
			all = append(all, r.values[name])
		}
	}
	return append(all, r.Targets.Secrets()...)
}
