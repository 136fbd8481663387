package cutover

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrRunbook is in the chain of every error about a runbook's file, its variables included.
var ErrRunbook = errors.New("the runbook is wrong")

const (
	maxFile = 1 << 20
	// SelfVariable is there without being declared: the path of this program.
	SelfVariable = "hotswap"
)

// Load reads a runbook and fills variables in: those that are set, of the environment as lookup gives it, or their defaults. The error names everything that is wrong, with lines.
func Load(file string, set map[string]string, lookup func(string) (string, bool)) (*Runbook, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRunbook, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(text) > maxFile {
		return nil, fmt.Errorf("%w: %s can't be read, or has more than %d bytes: %w", ErrRunbook, file, maxFile, errors.Join(err))
	}
	r, err := Parse(text, set, lookup)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Parse is [Load] of what a file has.
func Parse(text []byte, set map[string]string, lookup func(string) (string, bool)) (*Runbook, error) {
	wrong := func(errs ...error) error { return fmt.Errorf("%w:\n%w", ErrRunbook, errors.Join(errs...)) }
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil {
		return nil, wrong(err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, wrong(errors.New("there is more than one document in it"))
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, wrong(errors.New("line 1: it is no mapping of fields"))
	}
	root := document.Content[0]
	if errs := unknown(root, reflect.TypeFor[Runbook](), "", false); len(errs) > 0 {
		return nil, wrong(errs...)
	}
	v := &filler{set: set, lookup: lookup}
	if errs := v.declare(root); len(errs) > 0 {
		return nil, wrong(errs...)
	}
	v.fill(root)
	if len(v.errs) > 0 {
		return nil, wrong(v.errs...)
	}
	if errs := unknown(root, reflect.TypeFor[Runbook](), "", true); len(errs) > 0 {
		return nil, wrong(errs...)
	}
	r := &Runbook{values: v.values}
	if err := root.Decode(r); err != nil {
		return nil, wrong(v.hide(err))
	}
	sum := sha256.Sum256(text)
	r.hash = hex.EncodeToString(sum[:])
	if errs := r.check(func(path ...any) int { return lineOf(root, path...) }); len(errs) > 0 {
		for i, err := range errs {
			errs[i] = v.hide(err)
		}
		return nil, wrong(errs...)
	}
	return r, nil
}

// unknown gives an error for each field of a node that a type does not have, and for each alias: a file is read as it stands. filled: variables are, so that sizes and shares can be read.
func unknown(n *yaml.Node, t reflect.Type, path string, filled bool) (errs []error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		return []error{fmt.Errorf("line %d: %s: aliases are not taken", n.Line, orRunbook(path))}
	}
	unit, scalar := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	switch {
	case scalar:
		if err := unit.UnmarshalText([]byte(n.Value)); err != nil && filled {
			errs = append(errs, fmt.Errorf("line %d: %s: %w", n.Line, path, err))
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		fields := map[string]reflect.Type{}
		var names []string
		for i := range t.NumField() {
			if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
				fields[name] = t.Field(i).Type
				names = append(names, name)
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			field, ok := fields[key.Value]
			if !ok {
				errs = append(errs, fmt.Errorf("line %d: %s: there is no field %q; there are %s", key.Line, orRunbook(path), key.Value, strings.Join(names, ", ")))
				continue
			}
			if field.Kind() == reflect.Pointer && field.Elem().Kind() == reflect.Struct && value.Tag == "!!null" {
				errs = append(errs, fmt.Errorf("line %d: %s: it has no value; without parameters it is %s: {}", key.Line, join(path, key.Value), key.Value))
				continue
			}
			errs = append(errs, unknown(value, field, join(path, key.Value), filled)...)
		}
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, element := range n.Content {
			errs = append(errs, unknown(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i), filled)...)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			errs = append(errs, unknown(n.Content[i+1], t.Elem(), join(path, n.Content[i].Value), filled)...)
		}
	}
	return errs
}

func orRunbook(path string) string {
	if path == "" {
		return "the runbook"
	}
	return path
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// lineOf gives the line of what a path leads to, of field names and places in lists, or of the last part of it that is there.
func lineOf(n *yaml.Node, path ...any) int {
	line := n.Line
	for _, p := range path {
		var next *yaml.Node
		switch p := p.(type) {
		case int:
			if n.Kind == yaml.SequenceNode && p < len(n.Content) {
				next = n.Content[p]
				line = next.Line
			}
		case string:
			if n.Kind == yaml.MappingNode {
				for i := 0; i+1 < len(n.Content); i += 2 {
					if n.Content[i].Value == p {
						line, next = n.Content[i].Line, n.Content[i+1]
					}
				}
			}
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
}

// sorted gives a list in order, without its own being changed.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
