package landing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// ErrOtherLoader says that a partition does not stand where this loader left it: another one lands in the same warehouse.
var ErrOtherLoader = errors.New("another loader lands in this warehouse")

// Standing is how far a partition has been landed: a row of landing_offsets.
type Standing struct {
	Side        string    `json:"side"`
	Topic       string    `json:"topic"`
	Partition   int32     `json:"partition"`
	TopicID     string    `json:"topic_id,omitempty"`
	First       int64     `json:"first_offset"`
	Next        int64     `json:"next_offset"`
	Events      int64     `json:"events"`
	Rejects     int64     `json:"rejects"`
	Skipped     int64     `json:"skipped"`
	End         int64     `json:"end_offset"`
	ChangedAt   time.Time `json:"changed_at"`
	CaughtUpAt  time.Time `json:"caught_up_at,omitzero"`
	LastEventID int64     `json:"last_event_id,omitempty"`
	LastEventAt int64     `json:"last_event_at,omitempty"` // milliseconds

	inTable bool
}

// Standings reads how far all partitions have been landed, by side, topic and partition.
func Standings(ctx context.Context, store Store) ([]Standing, error) {
	return standings(ctx, store.DB(), store.Dialect())
}

// queryer is a database, or a transaction in one.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func standings(ctx context.Context, db queryer, d dialect.Dialect) (all []Standing, err error) {
	rows, err := db.QueryContext(ctx, d.SelectOffsets())
	if err != nil {
		return nil, fmt.Errorf("read how far the landing is: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s := Standing{inTable: true}
		var topicID sql.NullString
		var caughtUp sql.NullTime
		var lastID, lastAt sql.NullInt64
		err := rows.Scan(&s.Side, &s.Topic, &s.Partition, &topicID, &s.First, &s.Next, &s.Events, &s.Rejects, &s.Skipped, &s.End, &s.ChangedAt, &caughtUp, &lastID, &lastAt)
		if err != nil {
			return nil, fmt.Errorf("read how far the landing is: %w", err)
		}
		s.TopicID, s.CaughtUpAt, s.LastEventID, s.LastEventAt = topicID.String, caughtUp.Time, lastID.Int64, lastAt.Int64
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read how far the landing is: %w", err)
	}
	return all, nil
}

// moved is a partition that a batch takes further.
type moved struct {
	now Standing
	was int64 // Next before
}

// save gives the statements that put standings in the table: those that are there in one, where they are as they were.
func save(d dialect.Dialect, all []moved) (statements []Statement) {
	var there [][]string
	for _, m := range all {
		row := m.now.literals(d)
		if m.now.inTable {
			there = append(there, append(row, literal(m.was)))
		} else {
			statements = append(statements, Statement{SQL: d.InsertOffset(row), Rows: 1})
		}
	}
	if len(there) > 0 {
		statements = append(statements, Statement{SQL: d.UpdateOffsets(there), Rows: int64(len(there))})
	}
	return statements
}

func literal(n int64) string { return strconv.FormatInt(n, 10) }

// literals gives the values of the table's columns.
func (s *Standing) literals(d dialect.Dialect) []string {
	orNull := func(n int64) string {
		if n == 0 {
			return d.Cast("NULL", dialect.Long)
		}
		return literal(n)
	}
	id, caughtUp := d.Cast("NULL", dialect.Text), d.Cast("NULL", dialect.Time)
	if s.TopicID != "" {
		id = d.Literal(s.TopicID)
	}
	if !s.CaughtUpAt.IsZero() {
		caughtUp = d.Time(s.CaughtUpAt)
	}
	return []string{
		d.Literal(s.Side), d.Literal(s.Topic), literal(int64(s.Partition)), id, literal(s.First), literal(s.Next), literal(s.Events), literal(s.Rejects), literal(s.Skipped),
		literal(s.End), d.Time(s.ChangedAt), caughtUp, orNull(s.LastEventID), orNull(s.LastEventAt),
	}
}
