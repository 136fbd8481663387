package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// The forms of output.
const (
	asTable = "table"
	asCSV   = "csv"
	asJSON  = "json"
)

// timeForm is how times are written: UTC, to the microsecond.
const timeForm = "2006-01-02T15:04:05.000000Z"

// tableRows are rendered together, so that an endless listing needs no endless memory.
const tableRows = 10_000

// output is --output.
type output struct {
	form    string
	allowed []string
}

func (o *output) bind(cmd *cobra.Command, allowed ...string) {
	o.form, o.allowed = allowed[0], allowed
	cmd.Flags().VarP(o, "output", "o", strings.Join(allowed, ", "))
}

// String, Set and Type make it a flag.
func (o *output) String() string { return o.form }

// Set refuses forms that the command doesn't have.
func (o *output) Set(form string) error {
	if !slices.Contains(o.allowed, form) {
		return fmt.Errorf("give one of %s", strings.Join(o.allowed, ", "))
	}
	o.form = form
	return nil
}

// Type names the value in the help.
func (o *output) Type() string { return "form" }

// field is a column of a listing.
type field struct {
	name  string // in CSV and JSON
	right bool   // aligned so in tables: numbers
}

// listing writes rows in one of the forms as they come.
type listing struct {
	w      io.Writer
	form   string
	fields []field
	csv    *csv.Writer
	rows   []table.Row
	count  int
}

// list begins a listing; names of fields that begin with ">" are numbers.
func list(w io.Writer, form string, names ...string) *listing {
	l := &listing{w: w, form: form}
	for _, name := range names {
		number := strings.HasPrefix(name, ">")
		l.fields = append(l.fields, field{strings.TrimPrefix(name, ">"), number})
	}
	if form == asCSV {
		l.csv = csv.NewWriter(w)
		l.csv.Write(l.names()) // its error comes with the flush
	}
	return l
}

func (l *listing) names() []string {
	names := make([]string, len(l.fields))
	for i, f := range l.fields {
		names[i] = f.name
	}
	return names
}

// add writes a row of one string, integer or boolean for each field.
func (l *listing) add(values ...any) error {
	l.count++
	switch l.form {
	case asCSV:
		record := make([]string, len(values))
		for i, v := range values {
			record[i] = fmt.Sprint(v)
		}
		return l.csv.Write(record)
	case asJSON:
		var b bytes.Buffer
		for i, v := range values {
			value, err := json.Marshal(v)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s%q: %s", map[bool]string{true: "{", false: ", "}[i == 0], l.fields[i].name, value)
		}
		b.WriteByte('}')
		return l.element(b.Bytes())
	}
	l.rows = append(l.rows, values)
	if len(l.rows) >= tableRows {
		return l.render()
	}
	return nil
}

// element writes one element of the JSON array.
func (l *listing) element(value []byte) error {
	before := ",\n  "
	if l.count == 1 {
		before = "[\n  "
	}
	_, err := fmt.Fprintf(l.w, "%s%s", before, value)
	return err
}

// message writes a message as an element of the JSON array.
func (l *listing) message(m proto.Message) error {
	l.count++
	text, err := messageJSON(m)
	if err != nil {
		return err
	}
	return l.element(text)
}

func (l *listing) render() error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	var header table.Row
	var configs []table.ColumnConfig
	for i, f := range l.fields {
		header = append(header, strings.ReplaceAll(f.name, "_", " "))
		if f.right {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	t.AppendRows(l.rows)
	l.rows = l.rows[:0]
	_, err := fmt.Fprintln(l.w, t.Render())
	return err
}

// end writes what is left.
func (l *listing) end() error {
	switch {
	case l.form == asCSV:
		l.csv.Flush()
		return l.csv.Error()
	case l.form == asJSON && l.count == 0:
		_, err := fmt.Fprintln(l.w, "[]")
		return err
	case l.form == asJSON:
		_, err := fmt.Fprintln(l.w, "\n]")
		return err
	case len(l.rows) > 0 || l.count == 0:
		return l.render()
	}
	return nil
}

// messageJSON writes a message on one line, with the names of the proto files.
func messageJSON(m proto.Message) ([]byte, error) {
	spaced, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Compact(&b, spaced)
	return b.Bytes(), err
}

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err
}
