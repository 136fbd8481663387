package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
)

// What a bulk load (package bulk) has in common with a writer: rows in the same form, and the same fence.

// Rows encodes entries as rows of bk.journal, one chained to the other, in the binary format of COPY. The zero value is not usable.
type Rows struct{ rows rows }

// NewRows makes an empty stream of rows of a shard.
func NewRows(shard uint16) *Rows {
	r := &Rows{rows{shard: shard}}
	r.rows.reset()
	return r
}

// Add appends an entry that has its id and epoch, and that follows one with the chain hash prev; it gives its own.
func (r *Rows) Add(prev [32]byte, e *ledger.Entry) (hash [32]byte) {
	hash, _ = r.rows.add(prev, e)
	r.rows.keys = r.rows.keys[:0] // only a key filter wants them
	return hash
}

// Len is the number of rows so far, Size that of their bytes.
func (r *Rows) Len() int  { return r.rows.count }
func (r *Rows) Size() int { return len(r.rows.buf) }

// Take gives the whole stream and begins another one, with as much room.
func (r *Rows) Take() []byte {
	data := r.rows.bytes()
	r.rows.buf = make([]byte, 0, len(data)+len(data)/16)
	r.rows.reset()
	return data
}

// Raise raises a shard's epoch within a transaction, to atLeast at least, and takes the lease: whoever appended before is fenced. It gives the new epoch.
func Raise(ctx context.Context, tx pgx.Tx, shard uint16, owner string, atLeast int64) (epoch int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO bk.shard (shard, epoch, owner) VALUES ($1, greatest(1, $3::bigint), $2)
		ON CONFLICT (shard) DO UPDATE SET epoch = greatest(bk.shard.epoch + 1, $3::bigint), owner = excluded.owner, taken_at = now()
		RETURNING epoch`, int16(shard), owner, atLeast).Scan(&epoch)
	if err != nil {
		return 0, err
	}
	start := ChainStart(shard) // of an empty journal; otherwise what was acknowledged stays as it is
	_, err = tx.Exec(ctx, `INSERT INTO bk.lease (shard, epoch, owner, beat, seq, hash) VALUES ($1, $2, $3, now(), 0, $4)
		ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner, beat = now()`,
		int16(shard), epoch, owner, start[:])
	return epoch, err
}

// Fence is a statement that locks out any raise of the epoch until its transaction ends; where the epoch is another one already, it fails with an error
// that [Fenced] knows.
func Fence(shard uint16, epoch int64) string {
	return fmt.Sprintf("SELECT 1 / count(*) FROM (SELECT FROM bk.shard WHERE shard = %d AND epoch = %d FOR SHARE) AS fence", shard, epoch)
}

// Fenced reports whether an error is that of a [Fence].
func Fenced(err error) bool { return fenced(err) }

// checkLoading gives [ErrLoading] while a bulk load holds the shard: nobody may lead a ledger that is half there.
func checkLoading(ctx context.Context, tx pgx.Tx, shard uint16) error {
	var who string
	err := tx.QueryRow(ctx, `SELECT who FROM bk.bulk_load WHERE shard = $1 AND state IN ('loading', 'verifying')`, int16(shard)).Scan(&who)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a bulk load: %w", err)
	}
	return fmt.Errorf("%w (by %s); this server stands by until it is done or aborted", ErrLoading, who)
}
