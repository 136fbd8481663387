package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Errors of [Store.GiveUp].
var (
	ErrRequest = errors.New("the request is incomplete")                                       // who or why is missing
	ErrNotHeld = errors.New("no such row holds an upload up: it may have gone through by now") // nothing is given up
	ErrKept    = errors.New("the row is not given up")                                         // with the reason; it is tried on
)

const (
	maxUnfinished = 1000
	verdictEvery  = 50 * time.Millisecond // looking what the worker has decided
)

// Unfinished is an upload that is not worked off yet.
type Unfinished struct {
	UploadID  string `json:"upload_id"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	CreatedAt int64  `json:"created_at"` // milliseconds
	Processed int64  `json:"trades_processed"`
	Skipped   int64  `json:"trades_skipped"`
	Held      *Held  `json:"held"` // null while its rows go through
}

// Held is a row that fails for no fault of its own as far as one can tell; its upload, and those behind it, wait for it.
type Held struct {
	Row      int64     `json:"row"` // from 1, the header not counted
	Attempts int64     `json:"attempts"`
	Since    time.Time `json:"since"`     // the first failure
	FailedAt time.Time `json:"failed_at"` // the latest
	Type     string    `json:"type"`      // of the latest
	Message  string    `json:"message"`
	Asked    string    `json:"asked"`   // who has asked for it to be given up, and waits for the worker's decision; "" if nobody
	Refused  string    `json:"refused"` // why it was not given up when that was last asked for; ""
}

// GivenUp is a row that was given up.
type GivenUp struct {
	UploadID string    `json:"upload_id"`
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Row      int64     `json:"row"`
	Attempts int64     `json:"attempts"`
	Since    time.Time `json:"since"`
	Type     string    `json:"type"`
	Message  string    `json:"message"`
	Who      string    `json:"who"`
	Why      string    `json:"why"`
	Force    bool      `json:"force"`
	At       time.Time `json:"given_up_at"`
}

// GiveUp names a row that is to be given up. Who and Why are needed.
type GiveUp struct {
	UploadID string
	Row      int64
	Who, Why string
	Force    bool // also where nobody can tell whether it is booked
}

// heldStatements are the SQL about rows that hold uploads up.
type heldStatements struct{ hold, asked, refuse, record, release, unfinished, givenUp, ask, verdict string }

func newHeldStatements(in func(string) string) heldStatements {
	return heldStatements{
		hold: in(`INSERT INTO SCHEMA.upload_held AS h (seq, row, attempts, since, failed_at, type, message) VALUES ($1, $2, 1, clock_timestamp(), clock_timestamp(), $3, $4)
			ON CONFLICT (seq) DO UPDATE SET row = $2, failed_at = clock_timestamp(), type = $3, message = $4,
			attempts = CASE WHEN h.row = $2 THEN h.attempts + 1 ELSE 1 END, since = CASE WHEN h.row = $2 THEN h.since ELSE clock_timestamp() END,
			who = CASE WHEN h.row = $2 THEN h.who END, why = CASE WHEN h.row = $2 THEN h.why END, force = h.force AND h.row = $2, refused = CASE WHEN h.row = $2 THEN h.refused END`),
		asked:  in(`SELECT who, why, force, attempts FROM SCHEMA.upload_held WHERE seq = $1 AND row = $2 AND who IS NOT NULL`),
		refuse: in(`UPDATE SCHEMA.upload_held SET who = NULL, why = NULL, force = false, refused = $3 WHERE seq = $1 AND row = $2`),
		record: in(`INSERT INTO SCHEMA.upload_given_up (seq, row, attempts, since, type, message, who, why, force)
			SELECT seq, row, attempts, since, type, message, $3, $4, $5 FROM SCHEMA.upload_held WHERE seq = $1 AND row = $2`),
		release: in(`DELETE FROM SCHEMA.upload_held WHERE seq = $1`),
		unfinished: in(`SELECT upload_id, kind, name, status, created_at, processed, skipped, row, attempts, since, failed_at, type, message, coalesce(who, ''), coalesce(refused, '')
			FROM SCHEMA.upload LEFT JOIN SCHEMA.upload_held USING (seq) WHERE status IN ('pending', 'running') ORDER BY seq LIMIT $1`),
		givenUp: in(`SELECT upload_id, kind, name, row, attempts, since, type, message, who, why, force, given_up_at
			FROM SCHEMA.upload_given_up JOIN SCHEMA.upload USING (seq) ORDER BY given_up_at DESC LIMIT $1`),
		ask: in(`UPDATE SCHEMA.upload_held AS h SET who = $3, why = $4, force = $5, refused = NULL FROM SCHEMA.upload AS u
			WHERE u.seq = h.seq AND u.upload_id = $1 AND h.row = $2 RETURNING h.seq`),
		verdict: in(`SELECT EXISTS (SELECT FROM SCHEMA.upload_given_up WHERE seq = $1 AND row = $2),
			(SELECT coalesce(refused, '') FROM SCHEMA.upload_held WHERE seq = $1 AND row = $2)`),
	}
}

// Unfinished gives the uploads that are not worked off yet, in order, up to a thousand: with the row that the first of them waits for, if it does.
func (s *Store) Unfinished(ctx context.Context) ([]Unfinished, error) {
	rows, err := s.config.Pool.Query(ctx, s.sql.held.unfinished, maxUnfinished)
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (u Unfinished, err error) {
		var row, attempts *int64
		var since, failedAt *time.Time
		var kind, message *string
		var h Held
		err = r.Scan(&u.UploadID, &u.Kind, &u.Name, &u.Status, &u.CreatedAt, &u.Processed, &u.Skipped, &row, &attempts, &since, &failedAt, &kind, &message, &h.Asked, &h.Refused)
		if err == nil && row != nil {
			h.Row, h.Attempts, h.Since, h.FailedAt, h.Type, h.Message = *row, *attempts, *since, *failedAt, *kind, *message
			u.Held = &h
		}
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	return list, nil
}

// GivenUp gives up to limit rows that were given up, the latest first.
func (s *Store) GivenUp(ctx context.Context, limit int) ([]GivenUp, error) {
	rows, err := s.config.Pool.Query(ctx, s.sql.held.givenUp, limit)
	if err != nil {
		return nil, fmt.Errorf("list rows that were given up: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[GivenUp])
	if err != nil {
		return nil, fmt.Errorf("list rows that were given up: %w", err)
	}
	return list, nil
}

// GiveUp asks for a row to be given up: it is skipped, and counted and told of as a row that failed. The worker decides, as only it knows when no try is under way: the row
// must not be booked. GiveUp waits for that until ctx ends; what was asked for stands on then. [ErrRequest], [ErrNotHeld], [ErrKept].
func (s *Store) GiveUp(ctx context.Context, g GiveUp) error {
	if g.Who == "" || g.Why == "" {
		return fmt.Errorf("give up a row: %w: who and why are needed", ErrRequest)
	}
	var seq int64
	err := s.config.Pool.QueryRow(ctx, s.sql.held.ask, g.UploadID, g.Row, g.Who, g.Why, g.Force).Scan(&seq)
	for asked := err == nil; asked; {
		var given bool
		var refused *string
		if err = s.config.Pool.QueryRow(ctx, s.sql.held.verdict, seq, g.Row).Scan(&given, &refused); err != nil || given {
			break
		}
		if refused == nil {
			err = pgx.ErrNoRows
			break
		}
		if *refused != "" {
			return fmt.Errorf("row %d of upload %s: %w: %s", g.Row, g.UploadID, ErrKept, *refused)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("row %d of upload %s: it is noted that it is to be given up, and not decided yet, as a try may be under way: %w", g.Row, g.UploadID, ctx.Err())
		case <-time.After(verdictEvery):
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("row %d of upload %s: %w", g.Row, g.UploadID, ErrNotHeld)
	}
	if err != nil {
		return fmt.Errorf("give up row %d of upload %s: %w", g.Row, g.UploadID, err)
	}
	return nil
}
