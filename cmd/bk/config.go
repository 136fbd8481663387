package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
)

// settings are what a server command can be told, each by a flag, an environment variable and a key of the configuration file. One
// name gives all three: kafka.brokers is --kafka-brokers, BK_KAFKA_BROKERS, and in the file (YAML)
//
//	kafka:
//	  brokers: [a:9092, b:9092]
//
// A flag beats the environment, the environment the file, the file the default. Values are parsed late, so that everything that is wrong
// is told at once, whatever way it came.
type settings struct {
	all    []*setting
	filed  bool   // there may be a file
	config string // --config
}

// setting is one of them. It is the [pflag.Value] of its flag.
type setting struct {
	name  string // of the key in the file
	kind  string // shown by --help: string, int, duration, ...
	parse func(text string) error
	text  string // as given, or the default
	from  string // who gave it: "--listen", "BK_LISTEN", "listen in bk.yaml"; "" for the default
	flag  string
	env   string
}

// String implements pflag.Value.
func (s *setting) String() string { return s.text }

// Type implements pflag.Value.
func (s *setting) Type() string { return s.kind }

// Set implements pflag.Value; what the text is worth is found out by load.
func (s *setting) Set(text string) error {
	s.text, s.from = text, "--"+s.flag
	return nil
}

// add makes a setting and its flag.
func (ss *settings) add(cmd *cobra.Command, name, kind, standard, usage string, parse func(string) error) {
	flag := strings.ReplaceAll(name, ".", "-")
	s := &setting{name: name, kind: kind, parse: parse, text: standard, flag: flag, env: "BK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
	f := cmd.Flags().VarPF(s, flag, "", usage)
	if kind == "bool" {
		f.NoOptDefVal, f.DefValue = "true", "" // --migrate is --migrate=true
	}
	ss.all = append(ss.all, s)
}

func (ss *settings) text(cmd *cobra.Command, to *string, name, standard, usage string) {
	ss.add(cmd, name, "string", standard, usage, func(text string) error { *to = text; return nil })
}

func (ss *settings) list(cmd *cobra.Command, to *[]string, name, usage string) {
	ss.add(cmd, name, "strings", "", usage, func(text string) error {
		*to = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*to = append(*to, part)
			}
		}
		return nil
	})
}

func (ss *settings) number(cmd *cobra.Command, to *int, name, usage string) {
	ss.add(cmd, name, "int", "", usage, func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		*to = n
		return nil
	})
}

func (ss *settings) duration(cmd *cobra.Command, to *time.Duration, name, usage string) {
	ss.add(cmd, name, "duration", "", usage, func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration such as 500ms, 5s or 1m30s", text)
		}
		*to = d
		return nil
	})
}

func (ss *settings) flag(cmd *cobra.Command, to *bool, name, usage string) {
	ss.add(cmd, name, "bool", "", usage, func(text string) error {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*to = b
		return nil
	})
}

// configFlag adds --config.
func (ss *settings) configFlag(cmd *cobra.Command) {
	ss.filed = true
	cmd.Flags().StringVar(&ss.config, "config", "", "YAML `file` with settings (or BK_CONFIG)")
}

// load takes what flags left open from the environment and the file, and parses everything. It gives all that is wrong.
func (ss *settings) load(lookup func(string) (string, bool)) []error {
	var errs []error
	path := ss.config
	if path == "" && ss.filed {
		path, _ = lookup("BK_CONFIG")
	}
	inFile, err := readConfigFile(path)
	if err != nil {
		errs = append(errs, err)
	}
	known := map[string]bool{}
	for _, s := range ss.all {
		known[s.name] = true
		if s.from == "" {
			if text, ok := lookup(s.env); ok {
				s.text, s.from = text, s.env
			} else if text, ok := inFile[s.name]; ok {
				s.text, s.from = text, s.name+" in "+path
			}
		}
		if s.from == "" && s.text == "" {
			continue
		}
		if err := s.parse(s.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.from, err))
		}
	}
	var unknown []error
	for name := range inFile {
		if !known[name] {
			unknown = append(unknown, fmt.Errorf("%s in %s: there is no such setting%s", name, path, ss.like(name)))
		}
	}
	slices.SortFunc(unknown, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return append(errs, unknown...)
}

// like suggests a setting whose last part is the same.
func (ss *settings) like(name string) string {
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, s := range ss.all {
		if s.name[strings.LastIndexByte(s.name, '.')+1:] == last {
			return ", did you mean " + s.name + "?"
		}
	}
	return ""
}

// origin says where a setting came from, or how to give it.
func (ss *settings) origin(name string) string {
	for _, s := range ss.all {
		if s.name != name {
			continue
		}
		if s.from != "" {
			return s.from
		}
		if !ss.filed {
			return fmt.Sprintf("--%s (or %s)", s.flag, s.env)
		}
		return fmt.Sprintf("--%s (or %s, or %s in the file)", s.flag, s.env, s.name)
	}
	return name
}

// readConfigFile gives the file's values by their full keys, as text; lists are joined by commas.
func readConfigFile(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	values := map[string]string{}
	for key, value := range k.All() {
		switch v := value.(type) {
		case nil:
			values[key] = ""
		case []any:
			parts := make([]string, len(v))
			for i := range v {
				parts[i] = fmt.Sprint(v[i])
			}
			values[key] = strings.Join(parts, ",")
		default:
			values[key] = fmt.Sprint(v)
		}
	}
	return values, nil
}

// configError makes one error of all that is wrong with the configuration.
func configError(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString("the configuration is wrong:")
	for _, err := range errs {
		fmt.Fprintf(&text, "\n  %v", err)
	}
	return &exitError{code: exitUsage, err: errors.New(text.String())}
}

// ended prints the error of a server command, if any, as it is: it may have several lines, and what it says of connections is not about
// the server that client commands talk to.
func (a *app) ended(err error) error {
	if err == nil {
		return nil
	}
	code := exitFailed
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		code = exit.code
	}
	text := err.Error()
	if client.Detail(err) != nil {
		text = client.Describe(err)
	}
	fmt.Fprintf(a.err, "bk: %s\n", text)
	return &exitError{code: code}
}

// environment is where servers look for their BK_ variables.
func environment(name string) (string, bool) {
	text, ok := os.LookupEnv(name)
	return text, ok && text != "" // an empty variable is how scripts say "not set"
}
