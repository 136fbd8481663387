package sample

import (
	"fmt"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/rules"
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
func NewRules(list []Rule) (*Rules, error) {
	all := &Rules{}
	known := newRoutes()
	var common []rules.Rule
	for _, r := range list {
		common = append(common, rules.Rule{Name: r.Name, Owner: r.Owner, Reason: r.Reason, Expires: r.Expires})
	}
	err := rules.Check(common, func(i int, wrong func(format string, args ...any)) {
		c := compiled{Rule: list[i]}
		if c.Route == "" && c.Path == "" && c.Kind == "" {
			wrong("route: one of route, path and kind is needed")
		}
		if c.Route != "" && !slices.ContainsFunc(known, func(k route) bool { return k.path == c.Route }) {
			wrong("route: %q is none that is compared", cut(c.Route))
		}
		if c.Path != "" {
			pattern, err := parsePattern(c.Path)
			if err != nil {
				wrong("path: %q: %w", cut(c.Path), err)
			}
			c.pattern = pattern
		}
		if c.Kind != "" && !slices.Contains(kinds(), c.Kind) {
			wrong("kind: %q is none of %q", cut(string(c.Kind)), kinds())
		}
		all.rules = append(all.rules, c)
	})
	if err != nil {
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
	read, err := rules.Read(file, rules.Field{Name: "route"}, rules.Field{Name: "path"}, rules.Field{Name: "kind"})
	if err != nil {
		return nil, err
	}
	var all []Rule
	for _, r := range read {
		all = append(all, Rule{Name: r.Name, Owner: r.Owner, Reason: r.Reason, Expires: r.Expires, Route: r.About["route"], Path: r.About["path"], Kind: Kind(r.About["kind"])})
	}
	checked, err := NewRules(all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return checked, nil
}
