package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/audit"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/ledger/publisher"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/statement"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var readModels = []projections.Projection{balances.Projection{}, statement.Projection{}}

// books are a small ledger, booked and folded, with nobody at work on it any more.
func books(t *testing.T) (dsn string, j *journal.Journal) {
	t.Helper()
	dsn = pgtest.New(t)
	j, err := journal.Open(t.Context(), journal.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- j.Run(ctx) }()
	runner, err := projections.New(projections.Config{Pool: j.Pool(), Source: j, Projections: readModels})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- runner.Run(ctx) }()
	usd := ledger.Currency("USD")
	commands := []*ledger.Command{{Kind: ledger.KindInstrument, Define: &usd}}
	for id := int64(1); id <= 3; id++ {
		commands = append(commands, &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: fmt.Sprint("cust:", id)}})
	}
	for n := range 200 {
		amount := ledger.AmountOf(int64(n + 1))
		commands = append(commands, &ledger.Command{Kind: ledger.KindPosting, Key: fmt.Sprint("k", n), EffectiveDate: 20131007, Postings: []ledger.PostingRequest{
			{Account: ledger.AccountRef{ID: 1 + int64(n%3)}, Instrument: ledger.CurrencyID("USD"), Quantity: amount},
			{Account: ledger.AccountRef{ID: 1 + int64((n+1)%3)}, Instrument: ledger.CurrencyID("USD"), Quantity: amount.Neg()},
		}})
	}
	for deadline := time.Now().Add(30 * time.Second); !j.Leading(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the journal does not lead")
		}
	}
	for i := 0; i < len(commands); i += 4 { // definitions first: a command sees what was answered before it was given
		for _, o := range j.Book(t.Context(), commands[i:min(i+4, len(commands))], journal.BookOptions{}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
	}
	for _, p := range readModels {
		if err := runner.WaitFor(ctx, p.Name(), j.Head().Seq); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	for range 2 {
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	return dsn, j
}

func run(t *testing.T, j *journal.Journal) (audit.Summary, map[string]audit.Finding) {
	t.Helper()
	found := map[string]audit.Finding{}
	summary, err := audit.Run(t.Context(), audit.Config{Pool: j.Pool(), Projections: readModels}, func(string, int64, int64) {},
		func(f audit.Finding) { found[f.Check] = f })
	if err != nil {
		t.Fatal(err)
	}
	return summary, found
}

func TestBooksHold(t *testing.T) {
	t.Parallel()
	_, j := books(t)
	summary, found := run(t, j)
	if !summary.OK() || summary.Head.Seq != 204 || summary.Checks != 9 {
		t.Errorf("summary %+v, findings %+v", summary, found)
	}
	for check, want := range map[string]int64{"journal.sequence": 204, "journal.chain": 204, "journal.zero-sum": 400, "journal.keys": 200, "journal.head": 1, "projection.balances": 3} {
		if !slices.Contains([]int64{found[check].Counts["entries"], found[check].Counts["postings"], found[check].Counts["keys"], found[check].Counts["checkpoints"], found[check].Counts["rows"]}, want) {
			t.Errorf("%s counts %v, want %d", check, found[check].Counts, want)
		}
	}
}

// TestTampering changes one thing in the database as its owner could, and expects the audit to name it.
func TestTampering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql, check string
		seq              uint64
	}{
		{"a changed byte of a payload", `UPDATE bk.journal SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE seq = 100`, "journal.chain", 100},
		{"a payload cut short", `UPDATE bk.journal SET payload = substr(payload, 1, 10) WHERE seq = 100`, "journal.encoding", 100},
		{"a changed byte of a hash", `UPDATE bk.journal SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE seq = 100`, "journal.chain", 100},
		{"a hash cut short", `UPDATE bk.journal SET hash = '\x00' WHERE seq = 100`, "journal.chain", 100},
		{"a key hash", `UPDATE bk.journal SET key_hash = 7 WHERE seq = 100`, "journal.chain", 100},
		{"a subject", `UPDATE bk.journal SET subject = 7 WHERE seq = 100`, "journal.encoding", 100},
		{"an epoch", `UPDATE bk.journal SET epoch = 9 WHERE seq = 100`, "journal.chain", 100},
		{"a deleted row", `DELETE FROM bk.journal WHERE seq = 100`, "journal.sequence", 100},
		{"a deleted first row", `DELETE FROM bk.journal WHERE seq = 1`, "journal.sequence", 1},
		{"a cut-off tail", `DELETE FROM bk.journal WHERE seq > 150`, "journal.head", 204},
		{"a cut-off tail, and the writer's word for it", `DELETE FROM bk.journal WHERE seq > 150; DELETE FROM bk.lease`, "projection.balances", 151},
		{"two rows swapped", `UPDATE bk.journal SET seq = CASE seq WHEN 100 THEN 1000 ELSE 100 END WHERE seq IN (100); UPDATE bk.journal SET seq = 100 WHERE seq = 101; UPDATE bk.journal SET seq = 101 WHERE seq = 1000`, "journal.chain", 100},
		{"a row doubled under another number", `INSERT INTO bk.journal SELECT shard, 205, epoch, key_hash, subject, hash, payload FROM bk.journal WHERE seq = 100`, "journal.encoding", 205},
		{"an altered balance", `UPDATE bk_read.balances_1 SET settled = settled + 0.01 WHERE account = 2`, "projection.balances", 204},
		{"a balance deleted", `DELETE FROM bk_read.balances_1 WHERE account = 3`, "projection.balances", 204},
		{"a balance invented", `INSERT INTO bk_read.balances_1 (account, instrument, unsettled, settled) VALUES (77, 1, 0, 1)`, "projection.balances", 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dsn, j := books(t)
			owner, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer owner.Close(context.Background())
			if _, err := owner.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			summary, found := run(t, j)
			f := found[c.check]
			if summary.OK() || !slices.ContainsFunc(f.Breaches, func(b audit.Breach) bool { return b.Seq == c.seq && b.What != "" }) {
				var all []string
				for _, f := range found {
					for _, b := range f.Breaches {
						all = append(all, fmt.Sprintf("%s at %d: %s", f.Check, b.Seq, b.What))
					}
				}
				t.Errorf("%s does not name entry %d; found:\n%s", c.check, c.seq, strings.Join(all, "\n"))
			}
		})
	}
}

// TestBrokenJournalWithStream: with Kafka, too, a journal with a hole is told as such, and nothing else is lost over it.
func TestBrokenJournalWithStream(t *testing.T) {
	t.Parallel()
	dsn, j := books(t)
	p, err := publisher.New(publisher.Config{
		Journal: j, Directory: j.Directory(), Brokers: []string{kafkatest.New(t).Addr()}, ReplicationFactor: 1,
		Encode: func(e *ledger.Entry) ([]byte, error) { return ledger.AppendEntry(nil, e), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); p.Status().Published.Seq < j.Head().Seq; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is published")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	cfg := audit.Config{Pool: j.Pool(), Projections: readModels, Publisher: p}
	stream := func() (f audit.Finding) {
		t.Helper()
		summary, err := audit.Run(t.Context(), cfg, func(string, int64, int64) {}, func(found audit.Finding) {
			if found.Check == "stream" {
				f = found
			}
		})
		if err != nil || summary.Checks != 10 {
			t.Fatal(summary, err)
		}
		return f
	}
	if f := stream(); f.Count != 0 || f.Counts["entries"] != 204 {
		t.Errorf("the whole stream: %+v", f)
	}
	owner, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.Background())
	if _, err := owner.Exec(t.Context(), "DELETE FROM bk.journal WHERE seq = 100"); err != nil {
		t.Fatal(err)
	}
	if f := stream(); f.Count != 1 || f.Breaches[0].Seq != 100 {
		t.Errorf("with a hole at 100: %+v", f)
	}
}
