package sample

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
)

// Bounds of a file of rules.
const (
	maxRuleFile = 1 << 20
	maxRules    = 200
	maxRuleText = 1000
)

// Rule explains differences that somebody has looked at and answers for, for a time.
type Rule struct {
	Name   string // unique: letters, digits, "-", "_", "."
	Owner  string // who answers for it
	Reason string // why the difference is none
	// Expires is when it ends to explain.
	Expires time.Time

	// What it explains, one of them at least. Empty ones fit all.
	Route string // as in the contract: /accounts/{account_id}/positions
	Path  string // $.data[*].quantity; .* and [*] are any one step, .** at the end any
	Kind  Kind
}

// Rules are all that are in force, checked. The zero value has none.
type Rules struct{ rules []compiled }

type compiled struct {
	Rule
	pattern path // nil: any
}

// NewRules checks rules; the error names everything that is wrong with any. A rule that has expired already is right, but explains nothing.
func NewRules(rules []Rule) (*Rules, error) {
	var errs []error
	all := &Rules{}
	known := newRoutes()
	names := map[string]bool{}
	if len(rules) > maxRules {
		errs = append(errs, fmt.Errorf("rules: %d are more than %d", len(rules), maxRules))
		rules = rules[:maxRules]
	}
	for i, r := range rules {
		c := compiled{Rule: r}
		check := func(ok bool, format string, args ...any) {
			if !ok {
				errs = append(errs, fmt.Errorf("rules[%d].%w", i, fmt.Errorf(format, args...)))
			}
		}
		check(plainName(strings.ReplaceAll(r.Name, ".", "")) && len(r.Name) <= 100, "name: %q is not 1 to 100 letters, digits, \"-\", \"_\", \".\"", cut(r.Name))
		check(!names[r.Name] || r.Name == "", "name: %q is taken by a rule before it", cut(r.Name))
		names[r.Name] = true
		for _, field := range []struct{ name, text string }{{"owner", r.Owner}, {"reason", r.Reason}} {
			check(strings.TrimSpace(field.text) != "" && len(field.text) <= maxRuleText, "%s: needed, at most %d bytes", field.name, maxRuleText)
		}
		check(!r.Expires.IsZero(), "expires: needed: no rule is for ever")
		check(r.Route != "" || r.Path != "" || r.Kind != "", "route: one of route, path and kind is needed")
		check(r.Route == "" || slices.ContainsFunc(known, func(k route) bool { return k.path == r.Route }), "route: %q is none that is compared", cut(r.Route))
		if r.Path != "" {
			pattern, err := parsePattern(r.Path)
			check(err == nil, "path: %q: %w", cut(r.Path), err)
			c.pattern = pattern
		}
		check(r.Kind == "" || slices.Contains(kinds(), r.Kind), "kind: %q is none of %q", cut(string(r.Kind)), kinds())
		all.rules = append(all.rules, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// All gives the rules in their order.
func (r *Rules) All() []Rule {
	all := []Rule{}
	for _, c := range r.rules {
		all = append(all, c.Rule)
	}
	return all
}

// explain gives the name of the first rule that explains a difference; if there is none, the first that would, had it not expired.
func (r *Rules) explain(on *route, d difference, now time.Time) (rule, expired string) {
	for i := range r.rules {
		c := &r.rules[i]
		if c.Route != "" && c.Route != on.path || c.Kind != "" && c.Kind != d.kind || c.pattern != nil && !c.pattern.matches(d.at) {
			continue
		}
		if now.Before(c.Expires) {
			return c.Name, ""
		}
		if expired == "" {
			expired = c.Name
		}
	}
	return "", expired
}

// ReadRules reads a file of rules: JSON if its name ends so, else YAML, at most 1 MiB. Its shape is {rules: [{name, owner, reason, expires, route, path, kind}]};
// expires is the last day, by UTC, on which the rule explains, as 2026-12-31. The error names everything that is wrong.
func ReadRules(file string) (*Rules, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRuleFile+1))
	if err != nil {
		return nil, fmt.Errorf("rules: read %s: %w", file, err)
	}
	if len(text) > maxRuleFile {
		return nil, fmt.Errorf("rules: %s is longer than %d bytes", file, maxRuleFile)
	}
	rules, err := parseRules(text, strings.EqualFold(filepath.Ext(file), ".json"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rules, nil
}

func parseRules(text []byte, isJSON bool) (*Rules, error) {
	content := map[string]any{}
	var err error
	if isJSON {
		err = json.Unmarshal(text, &content)
	} else {
		content, err = yaml.Parser().Unmarshal(text)
	}
	if err != nil {
		return nil, err
	}
	var errs []error
	for name := range content {
		if name != "rules" {
			errs = append(errs, fmt.Errorf("%s: no such field", cut(name)))
		}
	}
	list, ok := content["rules"].([]any)
	if !ok && content["rules"] != nil {
		errs = append(errs, errors.New("rules: is no list"))
	}
	var rules []Rule
	for i, element := range list {
		rule, faults := readRule(element)
		for _, fault := range faults {
			errs = append(errs, fmt.Errorf("rules[%d]%s", i, fault))
		}
		rules = append(rules, rule)
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(errs...)
	}
	return NewRules(rules)
}

// readRule reads the fields; what they may hold is checked later.
func readRule(element any) (r Rule, faults []string) {
	fields, ok := element.(map[string]any)
	if !ok {
		return r, []string{": is not made of fields"}
	}
	for name, value := range fields {
		if name == "expires" {
			if r.Expires, ok = readDay(value); !ok {
				faults = append(faults, fmt.Sprintf(".expires: %s is no day such as 2026-12-31", cut(fmt.Sprint(value))))
			}
			continue
		}
		text, ok := value.(string)
		if !ok {
			faults = append(faults, fmt.Sprintf(".%s: is no text", cut(name)))
			continue
		}
		switch name {
		case "name":
			r.Name = text
		case "owner":
			r.Owner = text
		case "reason":
			r.Reason = text
		case "route":
			r.Route = text
		case "path":
			r.Path = text
		case "kind":
			r.Kind = Kind(text)
		default:
			faults = append(faults, fmt.Sprintf(".%s: no such field", cut(name)))
		}
	}
	return r, faults
}

// readDay gives the end of a day. YAML takes one without quotes for a time.
func readDay(value any) (time.Time, bool) {
	day, ok := value.(time.Time)
	if text, isText := value.(string); isText {
		var err error
		day, err = time.Parse(time.DateOnly, text)
		ok = err == nil
	}
	if !ok || !day.Equal(day.UTC().Truncate(24*time.Hour)) {
		return time.Time{}, false
	}
	return day.UTC().AddDate(0, 0, 1), true
}
