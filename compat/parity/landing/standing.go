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

// save gives the statement that puts a standing in the table, where it is as old was.
func (s *Standing) save(d dialect.Dialect, old int64) Statement {
	literal := func(n int64) string { return strconv.FormatInt(n, 10) }
	orNull := func(n int64) string {
		if n == 0 {
			return "NULL"
		}
		return literal(n)
	}
	id, caughtUp := "NULL", "NULL"
	if s.TopicID != "" {
		id = d.Literal(s.TopicID)
	}
	if !s.CaughtUpAt.IsZero() {
		caughtUp = d.Time(s.CaughtUpAt)
	}
	key := []string{"side", d.Literal(s.Side), "topic", d.Literal(s.Topic), "partition", literal(int64(s.Partition))}
	rest := []string{
		"topic_id", id, "first_offset", literal(s.First), "next_offset", literal(s.Next), "events", literal(s.Events), "rejects", literal(s.Rejects), "skipped", literal(s.Skipped),
		"end_offset", literal(s.End), "changed_at", d.Time(s.ChangedAt), "caught_up_at", caughtUp, "last_event_id", orNull(s.LastEventID), "last_event_at", orNull(s.LastEventAt),
	}
	if s.inTable {
		return Statement{SQL: "UPDATE " + dialect.Offsets + " SET " + d.Set(rest...) + " WHERE " + d.Where(append(key, "next_offset", literal(old))...), Rows: 1}
	}
	var names, values []string
	for pairs := append(key, rest...); len(pairs) > 0; pairs = pairs[2:] {
		names, values = append(names, pairs[0]), append(values, pairs[1])
	}
	return Statement{SQL: d.InsertOne(dialect.Offsets, names, values, d.Where(key...)), Rows: 1}
}
