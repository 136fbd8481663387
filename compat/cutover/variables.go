package cutover

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reference is ${name}; $${ is a dollar and a brace.
var reference = regexp.MustCompile(`\$?\$\{([^}]*)\}`)

// filler puts the variables' values into a runbook's nodes.
type filler struct {
	set      map[string]string
	lookup   func(string) (string, bool)
	declared map[string]Variable
	values   map[string]string
	errs     []error
}

// declare reads the variables and finds their values. Declarations are no place for variables themselves.
func (v *filler) declare(root *yaml.Node) (errs []error) {
	v.declared, v.values = map[string]Variable{}, map[string]string{}
	at := field(root, "variables")
	if at != nil {
		if err := at.Decode(&v.declared); err != nil {
			return []error{err}
		}
	}
	if _, ok := v.declared[SelfVariable]; !ok {
		self, err := os.Executable()
		if err != nil {
			return []error{fmt.Errorf("find this program: %w", err)}
		}
		v.declared[SelfVariable] = Variable{About: "this program", Default: &self}
	}
	for _, name := range slices.Sorted(maps.Keys(v.set)) {
		if _, ok := v.declared[name]; !ok {
			errs = append(errs, fmt.Errorf("--set %s: there is no such variable; there are %s", name, strings.Join(slices.Sorted(maps.Keys(v.declared)), ", ")))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.declared)) {
		d := v.declared[name]
		value, ok := v.set[name]
		if !ok && d.Env != "" {
			value, ok = v.lookup(d.Env)
		}
		if !ok && d.Default != nil {
			value, ok = *d.Default, true
		}
		if !ok {
			line := 0
			if at != nil {
				line = lineOf(at, name)
			}
			how := "--set " + name + "=..."
			if d.Env != "" {
				how += " or the environment's " + d.Env
			}
			errs = append(errs, fmt.Errorf("line %d: variables.%s: needed (%s): %s", line, name, d.About, how))
			continue
		}
		v.values[name] = value
	}
	return errs
}

// field gives the value of a mapping's field, nil if there is none.
func field(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// fill replaces references in all values but the declarations.
func (v *filler) fill(n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "variables" && n.Content[i].Column == 1 {
				continue
			}
			v.fill(n.Content[i+1])
		}
	case yaml.SequenceNode:
		for _, element := range n.Content {
			v.fill(element)
		}
	case yaml.ScalarNode:
		filled := reference.ReplaceAllStringFunc(n.Value, func(found string) string {
			if strings.HasPrefix(found, "$$") {
				return found[1:]
			}
			name := found[2 : len(found)-1]
			value, ok := v.values[name]
			if !ok {
				v.errs = append(v.errs, fmt.Errorf("line %d: %s: there is no variable %q; there are %s", n.Line, found, name, strings.Join(slices.Sorted(maps.Keys(v.declared)), ", ")))
			}
			return value
		})
		if whole := reference.FindString(n.Value) == n.Value && n.Value != ""; filled != n.Value && (whole || n.Style == 0) {
			n.Tag, n.Style = "", 0 // what it is, a number or a text, is found out anew: inside braces YAML wants the quotes
		}
		n.Value = filled
	}
}

// secrets gives the values of variables that must not be shown.
func (v *filler) secrets() (all []string) {
	for name, d := range v.declared {
		if d.Secret {
			all = append(all, v.values[name])
		}
	}
	return all
}

// hide takes secrets out of an error.
func (v *filler) hide(err error) error {
	text := newRedactor(v.secrets()).text(err.Error())
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
