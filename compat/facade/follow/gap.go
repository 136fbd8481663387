package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/idle"
	"github.com/bkledger/bk/compat/facade/mode"
)

// ErrGap says that Kafka has deleted events of Bank's before they were read.
var ErrGap = errors.New("Kafka has deleted events of Bank before they were read, so BK lacks them")

// ErrNoGap is the error of [Follower.Reopen] where nothing is missing.
var ErrNoGap = errors.New("no event of Bank is known to be missing")

// gapsEvery is how often each replica looks for gaps, for [Follower.Gaps].
const gapsEvery = time.Second

// Gap is a part of one of Bank's topics that Kafka had deleted before it was read. Until somebody has seen to it ([Follower.Reopen]) nothing is followed, and no step out of
// the window is made.
type Gap struct {
	Epoch     int64     `json:"epoch"` // of the window
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	First     int64     `json:"first"` // the offset of the first event that is missing
	Next      int64     `json:"next"`  // where the log begins now; below First: the topic was made anew, and ends there
	NoticedAt time.Time `json:"noticed_at"`
}

func (g Gap) String() string {
	if g.Next < g.First {
		return fmt.Sprintf("%s/%d was read up to offset %d and ends at %d now: it was made anew", g.Topic, g.Partition, g.First, g.Next)
	}
	return fmt.Sprintf("%s/%d from offset %d to %d", g.Topic, g.Partition, g.First, g.Next-1)
}

// wayOut is what people can do about gaps.
const wayOut = "bring BK up to date by other means and say so (hotswap facade follow, or POST /follow of the admin listener), or begin anew with an empty BK, an empty database of the façade and all of Bank's events in Kafka"

// gapError says what is missing and what can be done; nil without gaps.
func gapError(gaps []Gap) error {
	if len(gaps) == 0 {
		return nil
	}
	const told = 5
	var parts []string
	for _, g := range gaps[:min(told, len(gaps))] {
		parts = append(parts, g.String())
	}
	if more := len(gaps) - told; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%w: %s; %s", ErrGap, strings.Join(parts, ", "), wayOut)
}

// Gaps gives what is missing, as of a second ago at most.
func (f *Follower) Gaps() []Gap {
	if gaps := f.known.Load(); gaps != nil {
		return slices.Clone(*gaps)
	}
	return nil
}

// watchGaps keeps what [Follower.Gaps] gives up to date, on every replica.
func (f *Follower) watchGaps(ctx context.Context) {
	for told := false; ; {
		_, err := f.gaps(ctx)
		if err != nil && ctx.Err() == nil && !told {
			f.cfg.Log.Warn("can't look for events of Bank that are missing, it is tried again", "error", err)
		}
		told = err != nil
		if !idle.For(ctx, gapsEvery) {
			return
		}
	}
}

// gaps reads what is missing.
func (f *Follower) gaps(ctx context.Context) ([]Gap, error) {
	rows, err := f.cfg.Pool.Query(ctx, `SELECT epoch, topic, partition, first, next, noticed_at FROM facade.follow_gap WHERE closed_at IS NULL ORDER BY topic, partition`)
	if err != nil {
		return nil, fmt.Errorf("look for gaps: %w", err)
	}
	gaps, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Gap])
	if err != nil {
		return nil, fmt.Errorf("look for gaps: %w", err)
	}
	f.known.Store(&gaps)
	return gaps, nil
}

// note writes down what is missing, over the connection that has the follower's lock: before anything behind it is read, so that a kill forgets none of it.
func (f *Follower) note(ctx context.Context, conn *pgx.Conn, w *window, gaps []Gap) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var open bool // a step out of the window waits for this, or this sees it
		err := tx.QueryRow(ctx, `SELECT up_to IS NULL FROM facade.follow_window WHERE epoch = $1 FOR UPDATE`, w.Epoch).Scan(&open)
		if err != nil {
			return err
		}
		if !open {
			return errWindow
		}
		for _, g := range gaps {
			if _, err := tx.Exec(ctx, `INSERT INTO facade.follow_gap (epoch, topic, partition, first, next) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
				w.Epoch, g.Topic, g.Partition, g.First, g.Next); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note that events are missing: %w", err)
	}
	return gapError(gaps)
}

// Reopen goes on behind gaps: whoever calls it says that BK has all of Bank's work up to the event after, at the business date date, by other means than this. What
// Kafka has of later events is followed. The gaps stay in the table, with who and why. [ErrNoGap] where there are none, [mode.ErrRequest] where Bank has not come to after.
func (f *Follower) Reopen(ctx context.Context, after bank.ID, date bank.Date, who, why string) error {
	place, err := f.cfg.Bank.ReplayPlace(ctx)
	if err != nil {
		return fmt.Errorf("follow Bank from event %s on: ask Bank how far it is: %w", after, err)
	}
	if after > place.LastEventID {
		return fmt.Errorf("%w: after: Bank is at event %s, not at %s yet", mode.ErrRequest, place.LastEventID, after)
	}
	admin, err := f.administer()
	if err != nil {
		return err
	}
	starts, _, err := listed(ctx, admin.ListStartOffsets, &f.cfg)
	if err != nil {
		return fmt.Errorf("follow Bank from event %s on: look at Bank's topics: %w", after, err)
	}
	err = pgx.BeginFunc(ctx, f.cfg.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE facade.follow_gap SET closed_at = clock_timestamp(), who = $1, why = $2 WHERE closed_at IS NULL`, who, why)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNoGap
		}
		if tag, err = tx.Exec(ctx, `UPDATE facade.follow_window SET after = $1, seen = $1, date = $2 WHERE up_to IS NULL`, int64(after), int32(date)); err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errors.New("no window is open")
		}
		// What stands before is none of the window's, by the caller's word: it may be read again, and is left out.
		if _, err := tx.Exec(ctx, `DELETE FROM facade.follow_offset`); err != nil {
			return err
		}
		for at, start := range starts {
			if _, err := tx.Exec(ctx, `INSERT INTO facade.follow_offset (topic, partition, next) VALUES ($1, $2, $3)`, at.topic, at.partition, start); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("follow Bank from event %s on: %w", after, err)
	}
	_, err = f.gaps(ctx)
	return err
}

// Ends gives where Bank's topics end, as facade.bank_place keeps it: what Bank does from now on comes at these offsets, or behind.
func (f *Follower) Ends(ctx context.Context) ([]Offset, error) {
	admin, err := f.administer()
	if err != nil {
		return nil, err
	}
	found, err := ends(ctx, admin, &f.cfg)
	if err != nil {
		return nil, err
	}
	offsets := make([]Offset, 0, len(found))
	for at, next := range found {
		offsets = append(offsets, Offset{at.topic, at.partition, next})
	}
	return offsets, nil
}

// Offset is a place in one of Bank's topics.
type Offset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"` // offset of the next event
}
