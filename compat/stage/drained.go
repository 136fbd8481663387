package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// Drained waits until the façade has brought to the other system all that one has done. Nobody may write meanwhile. An error says what is left when ctx ended.
func (f Facade) Drained(ctx context.Context) error {
	const poll = 50 * time.Millisecond
	db, err := pgx.Connect(ctx, f.DSN)
	if err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
	var in string
	if err := db.QueryRow(ctx, `SELECT mode FROM facade.mode ORDER BY epoch DESC LIMIT 1`).Scan(&in); err != nil {
		return fmt.Errorf("the façade's mode: %w", err)
	}
	left, through := "facade.queue", bank.ID(0)
	if mode.Mode(in).Primary() == mode.BK {
		left = "facade.feed"
		to, err := bank.NewClient(bank.ClientConfig{API: f.API, Operations: f.Operations, Key: f.key})
		if err != nil {
			return err
		}
		defer to.Close()
		place, err := to.ReplayPlace(ctx)
		if err != nil {
			return fmt.Errorf("BK's journal: %w", err)
		}
		through = place.LastEventID
	}
	for {
		var calls, rows int
		var place int64
		var rejected string
		err := db.QueryRow(ctx, `SELECT (SELECT count(*) FROM facade.intent), (SELECT count(*) FROM `+left+` WHERE done_at IS NULL),
			coalesce((SELECT sequence FROM facade.feed_place), 0), coalesce((SELECT reason FROM `+left+` WHERE done_at IS NULL AND attempts > 0 LIMIT 1), '')`).Scan(&calls, &rows, &place, &rejected)
		if err == nil && calls == 0 && rows == 0 && place >= int64(through) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d calls are open, %d rows wait, one of them rejected with %q, the feed is at %d of %d: %w", calls, rows, rejected, place, through, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}
