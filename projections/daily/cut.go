package daily

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Hasher works out the hash of a cut: SHA-256 over the line "bk cut v1 YYYYMMDD" and, for each row, the line
// "account:instrument:unsettled:settled", ids and amounts as decimal numbers (see [ledger.Amount.String]), every line ended by a
// line feed. It is what the journal's day.end entry states, so it never changes.
type Hasher struct {
	hash hash.Hash
	line []byte
	rows int64
	sums map[int64]ledger.Amount // by instrument
}

// NewHasher begins the cut of a day.
func NewHasher(day ledger.Date) *Hasher {
	h := &Hasher{hash: sha256.New(), sums: map[int64]ledger.Amount{}}
	fmt.Fprintf(h.hash, "bk cut v1 %08d\n", int32(day))
	return h
}

// Add adds a row. A cut has the rows that are not zero in both buckets, ordered by account and instrument; to give just those, in that
// order, is up to the caller.
func (h *Hasher) Add(k projections.Key, holding projections.Holding) {
	b := append(strconv.AppendInt(h.line[:0], k.Account, 10), ':')
	b = append(strconv.AppendInt(b, k.Instrument, 10), ':')
	b = append(holding.Unsettled.AppendText(b), ':')
	b = append(holding.Settled.AppendText(b), '\n')
	h.hash.Write(b)
	h.line = b
	h.rows++
	h.sums[k.Instrument] = h.sums[k.Instrument].Add(holding.TradeDate())
}

// ErrUnbalanced is the error of a cut that does not add up to zero: it must not be frozen.
var ErrUnbalanced = errors.New("the cut does not add up to zero")

// balanced finds the instrument that doesn't add up to zero. All postings do, so a row has been altered.
func (h *Hasher) balanced() error {
	for instrument, sum := range h.sums {
		if !sum.IsZero() {
			return fmt.Errorf("%w: %s is left of instrument %d; the totals were altered: see bk verify, and rebuild %s", ErrUnbalanced, sum, instrument, Name)
		}
	}
	return nil
}

// Sum gives the number of rows added so far and their hash.
func (h *Hasher) Sum() (rows int64, hash [32]byte) {
	h.hash.Sum(hash[:0])
	return h.rows, hash
}

// hashRows reads rows of (account, instrument, unsettled::text, settled::text), one at a time.
func hashRows(ctx context.Context, tx pgx.Tx, day ledger.Date, sql string, args ...any) (*Hasher, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	h := NewHasher(day)
	return h, projections.EachTotal(rows, h.Add)
}

// ErrDay is the error of asking for the cut of another day than the one that is under way.
var ErrDay = errors.New("day: not the one that is under way")

// Cut gives the number of rows and the hash that the day's cut would have if the day, which must be under way, ended now: the day.end
// entry that comes next states them. It waits for the entry atLeast, the last of the day. It reads all totals in one snapshot, one at a
// time. [ErrDay].
func (r *Reader) Cut(ctx context.Context, day ledger.Date, atLeast uint64) (rows int64, hash [32]byte, err error) {
	err = r.runner.View(ctx, Name, atLeast, func(tx pgx.Tx, g projections.Generation) error {
		today, err := businessDay(ctx, tx, g)
		if err != nil {
			return err
		}
		if today.Date != day || today.Ended || day == 0 {
			state := "under way"
			if today.Ended {
				state = "over"
			}
			return fmt.Errorf("cut of %s: %w (at %d the business date is %q, and %s)", day, ErrDay, g.Checkpoint.Seq, today.Date, state)
		}
		h, err := hashRows(ctx, tx, day, `SELECT account, instrument, unsettled::text, settled::text FROM `+g.Table(totalsName)+`
			WHERE unsettled <> 0 OR settled <> 0 ORDER BY account, instrument`)
		if err != nil {
			return fmt.Errorf("work out the cut of %s: %w", day, err)
		}
		rows, hash = h.Sum()
		return h.balanced()
	})
	return rows, hash, err
}
