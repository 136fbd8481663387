package rules

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
	MaxFile  = 1 << 20 // bytes
	MaxRules = 200
	maxText  = 1000
	maxName  = 100
)

// Rule is what all rules have, and by the names of its fields what this one is about.
type Rule struct {
	Name   string // unique: letters, digits, "-", "_", "."
	Owner  string // who answers for it
	Reason string // why the difference is none
	// Expires is when it ends to explain.
	Expires time.Time
	About   map[string]string
}

// Field is what a rule may be about.
type Field struct {
	Name   string
	Number bool // may be given as a number, too
}

// Check checks what all rules have; the error names everything that is wrong with any. about checks what one is about: it calls wrong with a field's name, and what is wrong with it,
// for each fault.
func Check(all []Rule, about func(i int, wrong func(format string, args ...any))) error {
	var errs []error
	names := map[string]bool{}
	if len(all) > MaxRules {
		errs = append(errs, fmt.Errorf("rules: %d are more than %d", len(all), MaxRules))
		all = all[:MaxRules]
	}
	for i, r := range all {
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rules[%d].%w", i, fmt.Errorf(format, args...)))
		}
		if !plain(r.Name) {
			wrong("name: %q is not 1 to 100 letters, digits, \"-\", \"_\", \".\"", Cut(r.Name))
		}
		if names[r.Name] && r.Name != "" {
			wrong("name: %q is taken by a rule before it", Cut(r.Name))
		}
		names[r.Name] = true
		for _, field := range []struct{ name, text string }{{"owner", r.Owner}, {"reason", r.Reason}} {
			if strings.TrimSpace(field.text) == "" || len(field.text) > maxText {
				wrong("%s: needed, at most %d bytes", field.name, maxText)
			}
		}
		if r.Expires.IsZero() {
			wrong("expires: needed: no rule is for ever")
		}
		about(i, wrong)
	}
	return errors.Join(errs...)
}

func plain(name string) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c) {
			return false
		}
	}
	return strings.Trim(name, ".") != "" && len(name) <= maxName
}

// Read reads a file of rules: JSON if its name ends so, else YAML, at most 1 MiB. Its shape is {rules: [{name, owner, reason, expires, ...}]}, with fields of those given;
// expires is the last day, by UTC, on which the rule explains, as 2026-12-31. The error names everything that is wrong. Nothing is checked that [Check] does.
func Read(file string, fields ...Field) ([]Rule, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("rules: read %s: %w", file, err)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("rules: %s is longer than %d bytes", file, MaxFile)
	}
	all, err := Parse(text, strings.EqualFold(filepath.Ext(file), ".json"), fields...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// Parse is [Read] of what a file has.
func Parse(text []byte, isJSON bool, fields ...Field) ([]Rule, error) {
	content := map[string]any{}
	var err error
	if isJSON {
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		if err = decoder.Decode(&content); err == nil && strings.TrimSpace(string(text[decoder.InputOffset():])) != "" {
			err = errors.New("there is more than one value")
		}
	} else {
		content, err = yaml.Parser().Unmarshal(text)
	}
	if err != nil {
		return nil, err
	}
	var errs []error
	for name := range content {
		if name != "rules" {
			errs = append(errs, fmt.Errorf("%s: no such field", Cut(name)))
		}
	}
	list, ok := content["rules"].([]any)
	if !ok && content["rules"] != nil {
		errs = append(errs, errors.New("rules: is no list"))
	}
	var all []Rule
	for i, element := range list {
		rule, faults := read(element, fields)
		for _, fault := range faults {
			errs = append(errs, fmt.Errorf("rules[%d]%s", i, fault))
		}
		all = append(all, rule)
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(errs...)
	}
	return all, nil
}

// read reads the fields; what they may hold is checked later.
func read(element any, known []Field) (r Rule, faults []string) {
	fields, ok := element.(map[string]any)
	if !ok {
		return r, []string{": is not made of fields"}
	}
	r.About = map[string]string{}
	for name, value := range fields {
		if name == "expires" {
			if r.Expires, ok = readDay(value); !ok {
				faults = append(faults, fmt.Sprintf(".expires: %s is no day such as 2026-12-31", Cut(fmt.Sprint(value))))
			}
			continue
		}
		at := slices.IndexFunc(known, func(f Field) bool { return f.Name == name })
		text, ok := value.(string)
		if !ok && at >= 0 && known[at].Number {
			text, ok = number(value)
		}
		if !ok {
			faults = append(faults, fmt.Sprintf(".%s: is no text", Cut(name)))
			continue
		}
		switch {
		case name == "name":
			r.Name = text
		case name == "owner":
			r.Owner = text
		case name == "reason":
			r.Reason = text
		case at >= 0:
			r.About[name] = text
		default:
			faults = append(faults, fmt.Sprintf(".%s: no such field", Cut(name)))
		}
	}
	return r, faults
}

func number(value any) (string, bool) {
	switch value.(type) {
	case int, int64, uint64, json.Number:
		return fmt.Sprint(value), true
	}
	return "", false
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

// Cut gives the beginning of a text that is too long for a message.
func Cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "..."
}
