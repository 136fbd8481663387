package faults

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/landing"
)

// kept are the columns whose text is JSON as it was given.
var kept = map[string]bool{
	"contra_side_qualifier": true, "nscc_clearing": true, "last_market": true, "locate": true, "behalf_of_account_id": true, "solicited": true, "registered_rep": true,
	"branch_office": true, "user_data": true,
}

// place is where a row stands.
type place struct {
	side, topic string
	partition   int32
	offset      int64
}

// landedRow is an event as it was landed.
type landedRow struct {
	table string
	place
	landed    time.Time
	event     bank.Event
	canonical bool
}

// rowsTable reads and writes rows of events within a transaction.
type rowsTable struct {
	tx *sql.Tx
	d  dialect.Dialect
}

func (t *rowsTable) at(p place) (string, []any) {
	q := t.d.Quote
	return q("side") + " = ? AND topic = ? AND " + q("partition") + " = ? AND " + q("offset") + " = ?", []any{p.side, p.topic, p.partition, p.offset}
}

// read gives the event at a place.
func (t *rowsTable) read(ctx context.Context, table string, p place) (*landedRow, error) {
	of := dialect.Lookup(table)
	var columns []string
	for _, c := range of.Columns {
		if c.Type == dialect.Decimal {
			columns = append(columns, t.d.DecimalText(t.d.Quote(c.Name)))
		} else {
			columns = append(columns, t.d.Quote(c.Name))
		}
	}
	where, args := t.at(p)
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	if err := t.tx.QueryRowContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+table+" WHERE "+where, args...).Scan(places...); err != nil {
		return nil, fmt.Errorf("read %s/%d@%d of %s: %w", p.topic, p.partition, p.offset, p.side, err)
	}
	r := &landedRow{table: table, place: p}
	tree := map[string]any{}
	var hash int64
	for i, c := range of.Columns {
		switch {
		case c.Name == "landed_at":
			r.landed, _ = values[i].(time.Time)
		case c.Name == "content_hash":
			hash, _ = values[i].(int64)
		case c.Name == "canonical":
			r.canonical, _ = values[i].(bool)
		case c.Path != "" && values[i] != nil:
			put(tree, strings.Split(c.Path, "."), leaf(c, values[i]))
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // what is kept as given stays as it is
	if err := encoder.Encode(tree); err != nil {
		return nil, fmt.Errorf("%s/%d@%d: %w", p.topic, p.partition, p.offset, err)
	}
	var err error
	if r.event, err = bank.ReadEvent(bytes.TrimSpace(text.Bytes())); err != nil {
		return nil, fmt.Errorf("%s/%d@%d is no event: %w", p.topic, p.partition, p.offset, err)
	}
	if int64(landing.ContentHash(r.event.AppendJSON(nil))) != hash {
		return nil, fmt.Errorf("%s/%d@%d: its content_hash is not that of what its columns say", p.topic, p.partition, p.offset)
	}
	return r, nil
}

// leaf gives a column's value as JSON has it.
func leaf(c dialect.Column, value any) any {
	if text, ok := value.(string); ok && kept[c.Name] {
		return json.RawMessage(text)
	}
	switch n := value.(type) {
	case int64:
		if strings.HasSuffix(c.Name, "_id") && c.Name != "event_id" || c.Name == "replaces" || c.Name == "replaced_by" {
			return strconv.FormatInt(n, 10)
		}
		return n
	case int32:
		return n
	}
	return value
}

func put(tree map[string]any, path []string, value any) {
	for len(path) > 1 {
		next, ok := tree[path[0]].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[path[0]] = next
		}
		tree, path = next, path[1:]
	}
	tree[path[0]] = value
}

// write inserts a row.
func (t *rowsTable) write(ctx context.Context, r *landedRow) error {
	text := r.event.AppendJSON(nil)
	of := dialect.Lookup(r.table)
	args := make([]any, len(of.Columns))
	for i, c := range of.Columns {
		switch c.Name {
		case "side":
			args[i] = r.side
		case "topic":
			args[i] = r.topic
		case "partition":
			args[i] = r.partition
		case "offset":
			args[i] = r.offset
		case "landed_at":
			args[i] = r.landed
		case "content_hash":
			args[i] = int64(landing.ContentHash(text))
		case "canonical":
			args[i] = r.canonical
		default:
			value, err := column(c, text)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			args[i] = value
		}
	}
	if _, err := t.tx.ExecContext(ctx, t.d.Insert(of, 1), args...); err != nil {
		return fmt.Errorf("write %s/%d@%d of %s: %w", r.topic, r.partition, r.offset, r.side, err)
	}
	return nil
}

// column gives the value of an event's text that a column stands for, nil where there is none.
func column(c dialect.Column, text []byte) (any, error) {
	raw := json.RawMessage(text)
	for _, name := range strings.Split(c.Path, ".") {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return nil, err
		}
		if raw = fields[name]; raw == nil || string(raw) == "null" {
			return nil, nil
		}
	}
	if kept[c.Name] {
		return string(raw), nil
	}
	if raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		if c.Type == dialect.Long {
			return strconv.ParseInt(s, 10, 64)
		}
		return s, nil
	}
	switch c.Type {
	case dialect.Flag:
		return string(raw) == "true", nil
	case dialect.Integer, dialect.Long:
		return strconv.ParseInt(string(raw), 10, 64)
	}
	return nil, errors.New("a value of another kind than the column's")
}

// remove deletes the row at a place.
func (t *rowsTable) remove(ctx context.Context, table string, p place) error {
	where, args := t.at(p)
	result, err := t.tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE "+where, args...)
	if err != nil {
		return fmt.Errorf("delete %s/%d@%d of %s: %w", p.topic, p.partition, p.offset, p.side, err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("delete %s/%d@%d of %s: %d rows (%w)", p.topic, p.partition, p.offset, p.side, n, err)
	}
	return nil
}

// replace writes an altered event in the place of what stood there.
func (t *rowsTable) replace(ctx context.Context, from place, r *landedRow) error {
	if err := t.remove(ctx, r.table, from); err != nil {
		return err
	}
	return t.write(ctx, r)
}

// reject turns an event into a record that could not be read.
func (t *rowsTable) reject(ctx context.Context, r *landedRow, value []byte) error {
	if err := t.remove(ctx, r.table, r.place); err != nil {
		return err
	}
	_, fault := bank.ReadEvent(value)
	if fault == nil {
		return errors.New("what is to be unreadable can be read")
	}
	of := dialect.Lookup(dialect.Rejects)
	args := []any{r.side, r.topic, r.partition, r.offset, r.landed, fault.Error(), []byte(r.event.Key()), value}
	if _, err := t.tx.ExecContext(ctx, t.d.Insert(of, 1), args...); err != nil {
		return fmt.Errorf("write to %s: %w", dialect.Rejects, err)
	}
	return nil
}
