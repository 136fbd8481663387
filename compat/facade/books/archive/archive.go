package archive

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
)

// Store reads the archive. It is safe for concurrent use.
type Store struct {
	pool  *pgxpool.Pool
	place atomic.Pointer[Place]
}

// New makes one on the façade's database, which the caller closes. It doesn't call anybody yet.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// Place is where the archive ends and BK's journal goes on. The zero value: there is no archive.
type Place struct {
	Head    int64   // BK's sequence number of the last entry that was loaded
	LastRow bank.ID // the highest id of an archived journal row
}

// There reports whether there is an archive.
func (p Place) There() bool { return p.Head > 0 }

// Place gives it. It never changes on a database that a façade may begin on, and is asked for once.
func (s *Store) Place(ctx context.Context) (Place, error) {
	if known := s.place.Load(); known != nil {
		return *known, nil
	}
	var p Place
	err := s.pool.QueryRow(ctx, `SELECT opening_head, coalesce((SELECT max(row_id) FROM facade.archive_journal), 0) FROM facade.bootstrap WHERE opening_head IS NOT NULL`).Scan(&p.Head, (*int64)(&p.LastRow))
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return p, fmt.Errorf("find the archive: %w", err)
	}
	s.place.Store(&p)
	return p, nil
}

// Last gives the highest ids of trades and cash movements that are archived.
func (s *Store) Last(ctx context.Context) (trade, cash bank.ID, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce((SELECT max(bank_id) FROM facade.archive_trade), 0), coalesce((SELECT max(cash_id) FROM facade.archive_cash), 0)`).
		Scan((*int64)(&trade), (*int64)(&cash))
	if err != nil {
		return 0, 0, fmt.Errorf("find the last archived ids: %w", err)
	}
	return trade, cash, nil
}

// Hash is of what a client asked for: two are equal if Bank calls the two the same.
type Hash [sha256.Size]byte

// HashTrade gives a request's.
func HashTrade(t *bank.Trade) Hash { return sha256.Sum256(t.AppendJSON(nil)) }

// HashCash gives a cash movement's.
func HashCash(c *bank.Cash) Hash {
	text, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("archive: encode a cash movement: %v", err)) // plain data
	}
	return sha256.Sum256(text)
}

func integers(ids []bank.ID) []int64 {
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = int64(id)
	}
	return out
}

// scanHash takes a hash out of a column.
func scanHash(from []byte) (h Hash, err error) {
	if copy(h[:], from) != len(h) {
		err = fmt.Errorf("content: %d bytes are no hash", len(from))
	}
	return h, err
}
