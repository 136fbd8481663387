package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
)

// store is what is read from Postgres: immutable rows, so any connection at any time will do.
type store struct {
	pool  *pgxpool.Pool
	shard int16
}

const selectRows = `SELECT seq, epoch, key_hash, subject, hash, payload FROM bk.journal WHERE shard = $1 AND `

// head gives the last committed entry's place and hash; 0 and the chain's start for an empty journal.
func (s *store) head(ctx context.Context) (uint64, [32]byte, error) {
	var seq int64
	var hash []byte
	err := s.pool.QueryRow(ctx, `SELECT seq, hash FROM bk.journal WHERE shard = $1 ORDER BY seq DESC LIMIT 1`, s.shard).Scan(&seq, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, ChainStart(uint16(s.shard)), nil
	}
	if err != nil {
		return 0, [32]byte{}, fmt.Errorf("journal: read the head: %w", err)
	}
	if len(hash) != 32 {
		return 0, [32]byte{}, fmt.Errorf("%w: entry %d has a hash of %d bytes", ErrGap, seq, len(hash))
	}
	return uint64(seq), [32]byte(hash), nil
}

// read gives up to limit entries behind after in order, as many as fit into readBytes, and fails with ErrGap where one is missing.
func (s *store) read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	var out []*ledger.Entry
	bytes := 0
	err := s.each(ctx, `seq > $2 ORDER BY seq LIMIT $3`, []any{int64(after), limit}, func(e *ledger.Entry, size int) error {
		if want := after + uint64(len(out)) + 1; e.ID.Seq() != want {
			return fmt.Errorf("%w: shard %d has no entry %d", ErrGap, s.shard, want)
		}
		out = append(out, e)
		if bytes += size; bytes > readBytes {
			return errEnough
		}
		return nil
	})
	return out, err
}

var errEnough = errors.New("enough")

// each decodes the rows of a query one by one; errEnough from visit ends it without an error.
func (s *store) each(ctx context.Context, where string, args []any, visit func(e *ledger.Entry, size int) error) error {
	rows, err := s.pool.Query(ctx, selectRows+where, append([]any{s.shard}, args...)...)
	if err != nil {
		return fmt.Errorf("journal: read entries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := ScanRow(rows)
		if err != nil {
			return err
		}
		e, err := row.Entry(uint16(s.shard))
		if err != nil {
			return err
		}
		if err := visit(e, len(row.Payload)); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("journal: read entries: %w", err)
	}
	return nil
}

// ScanRow reads a row of (seq, epoch, key_hash, subject, hash, payload). The payload is valid until the next row.
func ScanRow(rows pgx.Rows) (Row, error) {
	var r Row
	var seq int64
	var hash []byte
	if err := rows.Scan(&seq, &r.Epoch, &r.KeyHash, &r.Subject, &hash, (*pgxRaw)(&r.Payload)); err != nil {
		return Row{}, fmt.Errorf("journal: read a row: %w", err)
	}
	r.Seq = uint64(seq)
	copy(r.Hash[:], hash)
	if len(hash) != len(r.Hash) {
		return r, fmt.Errorf("%w: entry %d has a hash of %d bytes", ErrGap, r.Seq, len(hash))
	}
	return r, nil
}

// pgxRaw scans a bytea without copying it.
type pgxRaw []byte

func (p *pgxRaw) ScanBytes(v []byte) error { *p = v; return nil }

// Entry decodes the row and checks that it is where it says it is.
func (r *Row) Entry(shard uint16) (*ledger.Entry, error) {
	e, err := ledger.DecodeEntry(r.Payload)
	if err != nil {
		return nil, fmt.Errorf("%w: shard %d, entry %d: %w", ErrGap, shard, r.Seq, err)
	}
	if e.ID != ledger.MakeID(shard, r.Seq) || e.Epoch != r.Epoch {
		return nil, fmt.Errorf("%w: shard %d, row %d holds entry %d", ErrGap, shard, r.Seq, e.ID)
	}
	e.Hash = r.Hash
	return e, nil
}

// scanKeys gives the keys of all entries behind after up to head, in portions with the place that each reaches.
func (s *store) scanKeys(ctx context.Context, after, head uint64, add func(keys []keyAt, upTo uint64)) error {
	rows, err := s.pool.Query(ctx, `SELECT seq, key_hash FROM bk.journal WHERE shard = $1 AND seq > $2 AND seq <= $3 ORDER BY seq`, s.shard, int64(after), int64(head))
	if err != nil {
		return fmt.Errorf("journal: read keys: %w", err)
	}
	defer rows.Close()
	keys := make([]keyAt, 0, 4096)
	for rows.Next() {
		var seq int64
		var hash *int64
		if err := rows.Scan(&seq, &hash); err != nil {
			return fmt.Errorf("journal: read keys: %w", err)
		}
		if hash != nil {
			keys = append(keys, keyAt{uint64(seq), *hash})
		}
		if len(keys) == cap(keys) {
			add(keys, uint64(seq))
			keys = keys[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("journal: read keys: %w", err)
	}
	add(keys, head)
	return nil
}

// byKeyHashes gives the entries whose keys have one of the hashes, by key.
func (s *store) byKeyHashes(ctx context.Context, hashes []int64) (map[string]*ledger.Entry, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	found := make(map[string]*ledger.Entry, len(hashes))
	err := s.each(ctx, `key_hash = ANY($2)`, []any{hashes}, func(e *ledger.Entry, _ int) error {
		found[e.Key] = e
		return nil
	})
	return found, err
}

// bySeqs gives entries by sequence number; those that are not there are left out.
func (s *store) bySeqs(ctx context.Context, seqs []int64) (map[uint64]*ledger.Entry, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	found := make(map[uint64]*ledger.Entry, len(seqs))
	err := s.each(ctx, `seq = ANY($2)`, []any{seqs}, func(e *ledger.Entry, _ int) error {
		found[e.ID.Seq()] = e
		return nil
	})
	return found, err
}

// lives adds to the bookings of trades all later entries about them, in order.
func (s *store) lives(ctx context.Context, booked []*ledger.Entry) (map[ledger.ID]ledger.Life, error) {
	if len(booked) == 0 {
		return nil, nil
	}
	lives := make(map[ledger.ID]ledger.Life, len(booked))
	subjects := make([]int64, len(booked))
	for i, e := range booked {
		lives[e.ID] = ledger.Life{e}
		subjects[i] = int64(e.ID.Seq())
	}
	err := s.each(ctx, `subject = ANY($2) ORDER BY seq`, []any{subjects}, func(e *ledger.Entry, _ int) error {
		lives[e.Links.Trade] = append(lives[e.Links.Trade], e)
		return nil
	})
	return lives, err
}

// businessDay gives where the ledger stands between days, as of the last day entry up to head.
func (s *store) businessDay(ctx context.Context, head uint64) (day ledger.BusinessDay, err error) {
	err = s.each(ctx, `subject = $2 AND seq <= $3 ORDER BY seq DESC LIMIT 1`, []any{int64(daySubject), int64(head)}, func(e *ledger.Entry, _ int) error {
		day = day.After(e)
		return nil
	})
	return day, err
}

// definitions folds all definitions behind after into the directory and gives the place of the last one folded, also with an error.
func (s *store) definitions(ctx context.Context, d *ledger.Directory, after, upTo uint64) (uint64, error) {
	last := after
	err := s.each(ctx, `subject = 0 AND seq > $2 AND seq <= $3 ORDER BY seq`, []any{int64(after), int64(upTo)}, func(e *ledger.Entry, _ int) error {
		d.Apply(e)
		last = e.ID.Seq()
		return nil
	})
	return last, err
}
