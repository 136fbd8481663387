package journal

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
)

func testStore(t *testing.T) (dsn string, s *store) {
	t.Helper()
	dsn = pgtest.New(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return dsn, &store{pool: pool}
}

func keysUpTo(n uint64) []keyAt {
	keys := make([]keyAt, n)
	for i := range keys {
		keys[i] = keyAt{uint64(i) + 1, KeyHash(fmt.Sprint("key ", i+1))}
	}
	return keys
}

// TestFilterFalseAlarms fills a segment to the brim: no key may be missed, and few others may be taken for known.
func TestFilterFalseAlarms(t *testing.T) {
	t.Parallel()
	f := &keyFilter{}
	for from := uint64(1); from < segmentEntries; from += 1 << 16 {
		keys := make([]keyAt, 0, 1<<16)
		for seq := from; seq < min(from+1<<16, segmentEntries); seq++ {
			keys = append(keys, keyAt{seq, int64(seq * 0x9e3779b97f4a7c15)})
		}
		f.add(keys, keys[len(keys)-1].seq)
	}
	const asked = 100_000
	known, others := make([]int64, asked), make([]int64, asked)
	for i := range known {
		known[i] = int64(uint64(i*80+1) * 0x9e3779b97f4a7c15)
		others[i] = KeyHash(fmt.Sprint("other ", i))
	}
	if found, upTo := f.maybe(known); len(found) != asked || upTo != segmentEntries-1 {
		t.Errorf("%d of %d known keys are found, up to %d", len(found), asked, upTo)
	}
	if found, _ := f.maybe(others); len(found) > asked/100 {
		t.Errorf("%d of %d new keys are taken for known, more than 1 %%", len(found), asked)
	}
	if len(f.segments) != 1 {
		t.Errorf("%d segments, want 1", len(f.segments))
	}
}

// TestFilterIsSaved saves a filter and reads it back; what came after the save, and what is unreadable, comes from the journal.
func TestFilterIsSaved(t *testing.T) {
	t.Parallel()
	dsn, s := testStore(t)
	insertEntries(t, dsn, 1, 1500)
	saved := &keyFilter{}
	if upTo, err := saved.load(t.Context(), s, 1000); err != nil || upTo != 0 {
		t.Fatal(upTo, err)
	}
	if err := saved.save(t.Context(), s, 0); err != nil {
		t.Fatal(err)
	}
	if err := saved.save(t.Context(), s, 3); err != nil { // there is no such segment: nothing to save
		t.Fatal(err)
	}
	check := func(what string, head, reach uint64) {
		t.Helper()
		f := &keyFilter{}
		upTo, err := f.load(t.Context(), s, head)
		if err != nil || upTo != reach {
			t.Fatalf("%s: saved up to %d, want %d: %v", what, upTo, reach, err)
		}
		var hashes []int64
		for _, k := range keysUpTo(head) {
			hashes = append(hashes, k.hash)
		}
		if found, upTo := f.maybe(hashes); uint64(len(found)) != head || upTo != head {
			t.Errorf("%s: %d of %d keys are known, up to %d", what, len(found), head, upTo)
		}
	}
	check("the saved filter and the journal behind it", 1500, 1000)
	check("a saved filter that knows too much", 900, 0)
	const set = `UPDATE bk.key_filter SET filter = `
	for _, damage := range []string{`DELETE FROM bk.key_filter WHERE part = 7`, set + `overlay(filter placing 'other form' from 21) WHERE part = 0`,
		set + `substr(filter, 1, 100)`, set + `''`, `DELETE FROM bk.key_filter`} {
		if err := saved.save(t.Context(), s, 0); err != nil {
			t.Fatal(err)
		}
		check("saved again", 1500, 1000)
		if _, err := s.pool.Exec(t.Context(), damage); err != nil {
			t.Fatal(err)
		}
		check(damage, 1500, 0)
	}
}

// insertEntries writes entries from..to with the keys of keysUpTo into the journal, past the pipeline.
func insertEntries(t *testing.T, dsn string, from, to uint64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	r := rows{}
	r.reset()
	hash := ChainStart(0)
	for seq := from; seq <= to; seq++ {
		e := &ledger.Entry{ID: ledger.MakeID(0, seq), Epoch: 1, Kind: ledger.KindPosting, Key: fmt.Sprint("key ", seq), BookedAt: time.UnixMicro(int64(seq))}
		hash, _ = r.add(hash, e)
	}
	if _, err := conn.PgConn().CopyFrom(t.Context(), bytes.NewReader(r.bytes()), copyRows); err != nil {
		t.Fatal(err)
	}
}

// TestPartitionBoundary books across the end of a partition: the next one is there in time, and keys of both are known after a restart.
func TestPartitionBoundary(t *testing.T) {
	t.Parallel()
	dsn, s := testStore(t)
	insertEntries(t, dsn, segmentEntries-10, segmentEntries-10)
	command := func(i int) *ledger.Command {
		return &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{Code: fmt.Sprint("cust:", i)}}
	}
	for round := range 2 {
		j, err := Open(t.Context(), Config{DSN: dsn, MaxBatch: 3})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- j.Run(ctx) }()
		for deadline := time.Now().Add(30 * time.Second); !j.Leading(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("does not lead")
			}
		}
		for i := range 20 {
			o := j.Book(t.Context(), []*ledger.Command{command(i)}, BookOptions{})[0]
			if o.Err != nil || o.Receipt.Repeat != (round == 1) {
				t.Errorf("round %d, command %d: %+v", round, i, o)
			}
		}
		if head := j.Head().Seq; head != segmentEntries+10 {
			t.Errorf("round %d: head %d, want %d", round, head, segmentEntries+10)
		}
		entries, err := j.store.read(t.Context(), segmentEntries-10, 100)
		if err != nil || len(entries) != 20 {
			t.Errorf("round %d: across the boundary there are %d entries, %v", round, len(entries), err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		j.Close()
	}
	var partitions int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(DISTINCT tableoid) FROM bk.journal`).Scan(&partitions); err != nil || partitions != 2 {
		t.Errorf("%d partitions hold entries, %v", partitions, err)
	}
}
