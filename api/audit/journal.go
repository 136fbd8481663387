package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/projections"
)

// pageRows bounds what is in memory of the journal at a time.
const pageRows = 2000

// journalCheck checks the rows of the journal one by one.
type journalCheck struct {
	shard                                                 uint16
	sequence, encoding, chain, zeroSum, order, head, keys Finding

	last       uint64 // the last row read
	hash       [32]byte
	epoch      int64
	bookedAt   time.Time
	unreadable uint64 // the first place from which on the journal can't be folded, 0 if it can
	buf        []byte
}

func newJournalCheck(shard uint16) *journalCheck {
	finding := func(name, unit string) Finding {
		return Finding{Check: "journal." + name, Counts: map[string]int64{unit: 0}}
	}
	return &journalCheck{
		shard: shard, hash: journal.ChainStart(shard),
		sequence: finding("sequence", "entries"), encoding: finding("encoding", "entries"), chain: finding("chain", "entries"),
		zeroSum: finding("zero-sum", "postings"), order: finding("order", "entries"), head: finding("head", "checkpoints"),
		keys: finding("keys", "keys"),
	}
}

func (j *journalCheck) findings() []*Finding {
	return []*Finding{&j.sequence, &j.encoding, &j.chain, &j.zeroSum, &j.order, &j.head, &j.keys}
}

// run reads the whole journal in tx, checks it, and feeds it to the projections' verifier.
func (j *journalCheck) run(ctx context.Context, tx pgx.Tx, verifier *projections.Verifier, progress func(string, int64, int64)) error {
	var total int64
	if err := tx.QueryRow(ctx, `SELECT coalesce(max(seq), 0) FROM bk.journal WHERE shard = $1`, j.shard).Scan(&total); err != nil {
		return fmt.Errorf("read the head: %w", err)
	}
	for {
		page, n, err := j.page(ctx, tx)
		if err != nil {
			return err
		}
		for _, e := range page {
			if j.unreadable != 0 && e.ID.Seq() >= j.unreadable {
				break
			}
			if err := verifier.Add(ctx, e); err != nil {
				return err
			}
		}
		progress("journal", int64(j.last), total)
		if n < pageRows {
			break
		}
	}
	if err := j.checkHead(ctx, tx); err != nil {
		return err
	}
	return j.checkKeys(ctx, tx)
}

// page reads and checks the next rows.
func (j *journalCheck) page(ctx context.Context, tx pgx.Tx) (entries []*ledger.Entry, n int, err error) {
	rows, err := tx.Query(ctx, `SELECT seq, epoch, key_hash, subject, hash, payload FROM bk.journal WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		j.shard, int64(j.last), pageRows)
	if err != nil {
		return nil, 0, fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		row, err := journal.ScanRow(rows)
		if err != nil && !errors.Is(err, journal.ErrGap) {
			return nil, 0, err
		}
		if e := j.row(&row); e != nil {
			entries = append(entries, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("read the journal: %w", err)
	}
	return entries, n, nil
}

// row checks one row and gives its entry if it can be read.
func (j *journalCheck) row(r *journal.Row) *ledger.Entry {
	seq := r.Seq
	j.sequence.Counts["entries"]++
	if want := j.last + 1; seq != want {
		j.sequence.breach(j.shard, want, "entries %d to %d are missing", want, seq-1)
		j.broken(want)
	} else {
		// Behind a gap there is no hash to follow; the chain is checked from the next row on.
		j.chain.Counts["entries"]++
		if journal.ChainNext(j.hash, j.shard, r) != r.Hash {
			j.chain.breach(j.shard, seq, "the row's hash does not follow from the row before and its content: one of the two was changed")
		}
	}
	j.last, j.hash = seq, r.Hash
	j.encoding.Counts["entries"]++
	e, err := r.Entry(j.shard)
	if err != nil {
		j.encoding.breach(j.shard, seq, "%v", err)
		j.broken(seq)
		return nil
	}
	j.entry(r, e)
	return e
}

func (j *journalCheck) broken(seq uint64) {
	if j.unreadable == 0 {
		j.unreadable = seq
	}
}

// entry checks a readable row's content.
func (j *journalCheck) entry(r *journal.Row, e *ledger.Entry) {
	seq := r.Seq
	if j.buf = ledger.AppendEntry(j.buf[:0], e); !bytes.Equal(j.buf, r.Payload) {
		j.encoding.breach(j.shard, seq, "the payload is not in canonical form")
	}
	if (r.KeyHash != nil) != (e.Key != "") || r.KeyHash != nil && *r.KeyHash != journal.KeyHash(e.Key) {
		j.encoding.breach(j.shard, seq, "the column key_hash is not that of the key %q", e.Key)
	}
	if subject, ok := journal.SubjectOf(e); (r.Subject != nil) != ok || ok && *r.Subject != subject {
		j.encoding.breach(j.shard, seq, "the column subject does not fit the entry")
	}
	j.zeroSum.Counts["postings"] += int64(len(e.Postings))
	if instrument, ok := ledger.Balanced(e.Postings); !ok {
		j.zeroSum.breach(j.shard, seq, "the quantities of instrument %d do not add up to zero", instrument)
	}
	j.order.Counts["entries"]++
	if e.Epoch < j.epoch {
		j.order.breach(j.shard, seq, "epoch %d follows epoch %d", e.Epoch, j.epoch)
	}
	if e.BookedAt.Before(j.bookedAt) {
		j.order.breach(j.shard, seq, "booked at %s, after an entry of %s", e.BookedAt, j.bookedAt)
	}
	j.epoch, j.bookedAt = e.Epoch, e.BookedAt
}

// checkHead compares the journal's end with what the writer had acknowledged when it last said so.
func (j *journalCheck) checkHead(ctx context.Context, tx pgx.Tx) error {
	var seq int64
	var hash, have []byte
	err := tx.QueryRow(ctx, `SELECT l.seq, l.hash, j.hash FROM bk.lease l LEFT JOIN bk.journal j USING (shard, seq) WHERE l.shard = $1`, j.shard).Scan(&seq, &hash, &have)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && seq == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the writer's checkpoint: %w", err)
	}
	j.head.Counts["checkpoints"]++
	switch {
	case have == nil:
		j.head.breach(j.shard, uint64(seq), "the writer had acknowledged up to %d, the journal ends at %d: its tail is missing", seq, j.last)
	case !bytes.Equal(hash, have):
		j.head.breach(j.shard, uint64(seq), "the writer had acknowledged entry %d with another hash: the journal was replaced", seq)
	}
	return nil
}

// checkKeys looks for keys that stand twice: rows of one key hash, then their full keys.
func (j *journalCheck) checkKeys(ctx context.Context, tx pgx.Tx) error {
	var keys int64
	if err := tx.QueryRow(ctx, `SELECT count(key_hash) FROM bk.journal WHERE shard = $1`, j.shard).Scan(&keys); err != nil {
		return fmt.Errorf("count keys: %w", err)
	}
	j.keys.Counts["keys"] = keys
	rows, err := tx.Query(ctx, `SELECT seq, epoch, key_hash, subject, hash, payload FROM bk.journal WHERE shard = $1 AND key_hash IN (
		SELECT key_hash FROM bk.journal WHERE shard = $1 AND key_hash IS NOT NULL GROUP BY key_hash HAVING count(*) > 1) ORDER BY key_hash, seq`, j.shard)
	if err != nil {
		return fmt.Errorf("look for doubled keys: %w", err)
	}
	defer rows.Close()
	same := map[string]uint64{} // of one key hash
	var keyHash int64
	for rows.Next() {
		row, err := journal.ScanRow(rows)
		if err != nil && !errors.Is(err, journal.ErrGap) {
			return err
		}
		e, err := row.Entry(j.shard)
		if err != nil {
			continue // told by the encoding's check
		}
		if *row.KeyHash != keyHash {
			clear(same)
			keyHash = *row.KeyHash
		}
		if first, twice := same[e.Key]; twice {
			j.keys.breach(j.shard, row.Seq, "the key %q stands at %d, too", e.Key, first)
			continue
		}
		same[e.Key] = row.Seq
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for doubled keys: %w", err)
	}
	return nil
}
