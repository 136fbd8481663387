// Package foldtest gives tests of projections a journal in memory, with entries as the ledger makes them, and connections with the
// application's role.
package foldtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
)

// Journal is a shard's journal in memory.
type Journal struct {
	shard   uint16
	mu      sync.Mutex
	entries []*ledger.Entry
	grown   chan struct{}
}

// NewJournal makes an empty journal.
func NewJournal(shard uint16) *Journal { return &Journal{shard: shard, grown: make(chan struct{})} }

// Append gives each entry its place and its chain hash, and adds it.
func (j *Journal) Append(entries ...*ledger.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range entries {
		var last [32]byte
		if n := len(j.entries); n > 0 {
			last = j.entries[n-1].Hash
		}
		e.ID = ledger.MakeID(j.shard, uint64(len(j.entries))+1)
		e.Hash = sha256.Sum256(ledger.AppendEntry(last[:], e))
		j.entries = append(j.entries, e)
	}
	close(j.grown)
	j.grown = make(chan struct{})
}

// Truncate cuts the tail off.
func (j *Journal) Truncate(n uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = j.entries[:n:n]
}

// Read is of projections.Source.
func (j *Journal) Read(ctx context.Context, after uint64, limit int) ([]*ledger.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if after >= uint64(len(j.entries)) {
		return nil, ctx.Err()
	}
	return j.entries[after:min(uint64(len(j.entries)), after+uint64(limit))], ctx.Err()
}

// Wait is of projections.Source.
func (j *Journal) Wait(ctx context.Context, after uint64) error {
	for {
		j.mu.Lock()
		head, grown := uint64(len(j.entries)), j.grown
		j.mu.Unlock()
		if head > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

// Head is of projections.Source.
func (j *Journal) Head() ledger.Token {
	j.mu.Lock()
	defer j.mu.Unlock()
	return ledger.Token{Shard: j.shard, Seq: uint64(len(j.entries))}
}

// EntriesBySeq is of projections.Source and statement.Entries.
func (j *Journal) EntriesBySeq(ctx context.Context, seqs []uint64) ([]*ledger.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]*ledger.Entry, len(seqs))
	for i, seq := range seqs {
		if seq >= 1 && seq <= uint64(len(j.entries)) {
			out[i] = j.entries[seq-1]
		}
	}
	return out, ctx.Err()
}

// All gives every entry.
func (j *Journal) All() []*ledger.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries
}

// Accounts and instruments of the entries that [Trades] makes.
const (
	FirstCustomer = 100_000
	Street        = 1 << 40
	Firm          = 1<<40 + 1
	Location      = 1<<40 + 2
	Dollar        = 1
	FirstSecurity = 2
)

// Trades makes n entries: trades of five postings each between random customers and the street in random securities, and, where
// mixed is set, settlements, cancels of the entry before, and definitions in between.
func Trades(rng *rand.Rand, n, customers, securities int, mixed bool) []*ledger.Entry {
	out := make([]*ledger.Entry, 0, n)
	now := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Minute)
	for i := range n {
		customer := int64(FirstCustomer + rng.IntN(customers))
		security := int64(FirstSecurity + rng.IntN(securities))
		shares := ledger.AmountOf(int64(rng.IntN(2000) - 1000))
		if shares.IsZero() {
			shares = ledger.MustAmount("0.0000000001")
		}
		price := ledger.MustAmount(fmt.Sprintf("%d.%04d", rng.IntN(500)+1, rng.IntN(10000)))
		gross, err := shares.Mul(price)
		if err != nil {
			gross = ledger.MustAmount("0.01")
		}
		fee := ledger.MustAmount("4.95")
		day := ledger.Date(20131000 + 7 + rng.IntN(3))
		e := &ledger.Entry{
			Kind: ledger.KindExchangeTrade, Key: fmt.Sprintf("key-%d", i), Source: "foldtest", Epoch: 1,
			BookedAt:  now.Add(time.Duration(i) * time.Microsecond),
			TradeDate: day, EffectiveDate: day,
			Postings: []ledger.Posting{
				{Account: customer, Instrument: security, Bucket: ledger.Unsettled, Quantity: shares},
				{Account: Street, Instrument: security, Bucket: ledger.Unsettled, Quantity: shares.Neg()},
				{Account: customer, Instrument: Dollar, Bucket: ledger.Unsettled, Quantity: gross.Add(fee).Neg()},
				{Account: Street, Instrument: Dollar, Bucket: ledger.Unsettled, Quantity: gross},
				{Account: Firm, Instrument: Dollar, Bucket: ledger.Settled, Quantity: fee},
			},
		}
		if mixed {
			mix(rng, e, out, customer, security, shares)
		}
		out = append(out, e)
	}
	return out
}

func mix(rng *rand.Rand, e *ledger.Entry, before []*ledger.Entry, customer, security int64, shares ledger.Amount) {
	switch rng.IntN(10) {
	case 0:
		e.Kind, e.Postings = ledger.KindOpen, nil
		e.Account = &ledger.Account{ID: customer, Code: fmt.Sprintf("cust:%d", customer), Kind: ledger.KindCustomer}
	case 1:
		e.Kind = "settle"
		e.Postings = []ledger.Posting{
			{Account: customer, Instrument: security, Bucket: ledger.Unsettled, Quantity: shares.Neg()},
			{Account: customer, Instrument: security, Bucket: ledger.Settled, Quantity: shares},
			{Account: Street, Instrument: security, Bucket: ledger.Unsettled, Quantity: shares},
			{Account: Location, Instrument: security, Bucket: ledger.Settled, Quantity: shares.Neg()},
		}
	case 2:
		if len(before) == 0 || len(before[len(before)-1].Postings) == 0 {
			return
		}
		e.Kind, e.Postings = ledger.KindCancel, nil
		for _, p := range before[len(before)-1].Postings {
			p.Quantity = p.Quantity.Neg()
			e.Postings = append(e.Postings, p)
		}
	}
}

// Pool connects with the application's role.
func Pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatalf("dsn: %v", err)
	}
	cfg.MaxConns = 12
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET ROLE bk_app`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}
