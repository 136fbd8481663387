package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// shard is the one that the servers serve.
const shard = 0

// journalCheck goes through the rows of the journal in their order. It holds them against what the clients remember, and works out what
// balances and stream must be.
type journalCheck struct {
	*verdict
	receipts map[string]receipt

	last     uint64
	hash     [32]byte
	epoch    int64
	bookedAt time.Time
	before   *ledger.Entry
	canceled map[ledger.ID]bool
	customer map[int64]bool
	found    int
	made     int // entries that are no definitions
	postings int
	balances map[balanceKey]balance
	stream   []expectedEvents // by sequence - 1
}

// expectedEvents are what the stream must hold of an entry: one event under each key.
type expectedEvents struct {
	keys []eventKey
	key  string // of the command
	hash [32]byte
	seen uint64 // a bit for each leg; no entry of the loop has more than 64
}

// eventKey is an account's number, or an instrument's where it defines one.
type eventKey struct {
	id         int64
	instrument bool
}

func newJournalCheck(v *verdict, receipts map[string]receipt) *journalCheck {
	return &journalCheck{
		verdict: v, receipts: receipts, hash: journal.ChainStart(shard),
		canceled: map[ledger.ID]bool{}, customer: map[int64]bool{}, balances: map[balanceKey]balance{},
	}
}

// run reads all of bk.journal.
func (j *journalCheck) run(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT seq, epoch, key_hash, subject, hash, payload FROM bk.journal WHERE shard = $1 ORDER BY seq`, shard)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := journal.ScanRow(rows)
		if err != nil && !errors.Is(err, journal.ErrGap) {
			return err
		}
		j.row(&row)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	var acknowledged int64
	if err := conn.QueryRow(ctx, `SELECT seq FROM bk.lease WHERE shard = $1`, shard).Scan(&acknowledged); err != nil {
		return fmt.Errorf("read the writer's checkpoint: %w", err)
	}
	if uint64(acknowledged) > j.last {
		j.breach("the writer had acknowledged up to %d, the journal ends at %d", acknowledged, j.last)
	}
	j.conclude()
	return nil
}

// row checks one row; before it the journal is right, or a breach is told.
func (j *journalCheck) row(r *journal.Row) {
	if r.Seq != j.last+1 {
		j.breach("gap: entry %d follows %d", r.Seq, j.last)
	} else if journal.ChainNext(j.hash, shard, r) != r.Hash {
		j.breach("hash chain: entry %d doesn't follow from %d", r.Seq, j.last)
	}
	j.last, j.hash = r.Seq, r.Hash
	for uint64(len(j.stream)) < r.Seq { // behind a gap the places must stay right
		j.stream = append(j.stream, expectedEvents{})
	}
	e, err := r.Entry(shard)
	if err != nil {
		j.breach("entry %d can't be read: %v", r.Seq, err)
		return
	}
	if e.Epoch < j.epoch || e.BookedAt.Before(j.bookedAt) {
		j.breach("order: entry %d has epoch %d and was booked at %s, behind epoch %d and %s", r.Seq, e.Epoch, e.BookedAt, j.epoch, j.bookedAt)
	}
	j.epoch, j.bookedAt = e.Epoch, e.BookedAt
	j.entry(e)
	j.before = e
}

func (j *journalCheck) entry(e *ledger.Entry) {
	at := &j.stream[e.ID.Seq()-1]
	at.key, at.hash = e.Key, e.Hash
	switch {
	case e.Account != nil:
		j.customer[e.Account.ID] = e.Account.Kind == ledger.KindCustomer
		at.keys = []eventKey{{id: e.Account.ID}}
		return
	case e.Define != nil:
		at.keys = []eventKey{{id: e.Define.ID, instrument: true}}
		return
	}
	j.made++
	j.postings += len(e.Postings)
	sums := map[int64]ledger.Amount{}
	for _, p := range e.Postings {
		sums[p.Instrument] = sums[p.Instrument].Add(p.Quantity)
		key := balanceKey{p.Account, p.Instrument}
		b := j.balances[key]
		if p.Bucket == ledger.Settled {
			b.settled = b.settled.Add(p.Quantity)
		} else {
			b.unsettled = b.unsettled.Add(p.Quantity)
		}
		j.balances[key] = b
		if leg := (eventKey{id: p.Account}); j.customer[p.Account] && !contains(at.keys, leg) {
			at.keys = append(at.keys, leg)
		}
	}
	for instrument, sum := range sums {
		if !sum.IsZero() {
			j.breach("zero-sum: entry %d leaves %s of instrument %d", e.ID.Seq(), sum, instrument)
		}
	}
	if len(at.keys) == 0 && len(e.Postings) > 0 {
		at.keys = []eventKey{{id: e.Postings[0].Account}}
	}
	j.links(e)
	j.remembered(e)
}

func contains(keys []eventKey, key eventKey) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

// links checks that no trade is cancelled twice, and that a correction's two entries stand side by side.
func (j *journalCheck) links(e *ledger.Entry) {
	if e.Kind == ledger.KindCancel {
		if j.canceled[e.Links.Trade] {
			j.breach("entry %d cancels trade %d, which was cancelled before", e.ID.Seq(), e.Links.Trade)
		}
		j.canceled[e.Links.Trade] = true
	}
	if e.Links.Corrects == 0 {
		return
	}
	if b := j.before; b == nil || b.Kind != ledger.KindCancel || b.Links.ReplacedBy != e.ID || b.Links.Trade != e.Links.Corrects || b.Epoch != e.Epoch {
		j.breach("entry %d corrects trade %d, and the entry before it isn't the cancel that belongs to it", e.ID.Seq(), e.Links.Corrects)
	}
}

// remembered holds an entry against the receipt of its key.
func (j *journalCheck) remembered(e *ledger.Entry) {
	if e.Key == "" {
		if e.Kind != ledger.KindCancel || e.Links.ReplacedBy == 0 {
			j.breach("entry %d, a %s, has no key", e.ID.Seq(), e.Kind)
		}
		return
	}
	r, ok := j.receipts[e.Key]
	switch {
	case !ok:
		j.breach("entry %d has the key %s, which no client was ever given a receipt for", e.ID.Seq(), e.Key)
		return
	case r.found:
		j.breach("key %s is there twice: entry %d, and before it %d", e.Key, e.ID.Seq(), r.entry.Seq())
	case r.entry != e.ID || r.bookedAt != e.BookedAt.UnixMicro():
		j.breach("key %s was acknowledged as entry %d booked at %d, and stands at %d, booked at %d", e.Key, r.entry.Seq(), r.bookedAt, e.ID.Seq(), e.BookedAt.UnixMicro())
	case r.content != e.Content:
		j.breach("key %s: entry %d has another content than what was sent", e.Key, e.ID.Seq())
	case (r.entries == 2) != (e.Links.Corrects != 0):
		j.breach("key %s: entry %d makes another number of entries than the %d of its command", e.Key, e.ID.Seq(), r.entries)
	}
	r.found = true
	j.receipts[e.Key] = r
	j.found++
}

func (j *journalCheck) conclude() {
	made := 0
	for key, r := range j.receipts {
		made += int(r.entries)
		if !r.found {
			j.breach("key %s was acknowledged as entry %d and is not in the journal", key, r.entry.Seq())
		}
	}
	if made != j.made {
		j.breach("the acknowledged commands make %d entries, the journal has %d", made, j.made)
	}
	j.checked("journal: %d acknowledged keys, each there once, with the acknowledged id, time and content; none is there that wasn't acknowledged", j.found)
	j.checked("journal: %d entries without a gap, in one hash chain over %d terms, %d of them definitions", j.last, j.epoch, int(j.last)-j.made)
	j.checked("journal: zero-sum of %d postings; %d cancelled trades, none of them twice", j.postings, len(j.canceled))
}

// compareBalances holds what the API gave against the sums of the journal's postings.
func (j *journalCheck) compareBalances(served map[balanceKey]balance) {
	for key, want := range j.balances {
		if got := served[key]; got != want {
			j.breach("account %d, instrument %d: the balances have %s and %s, the journal's postings come to %s and %s",
				key.account, key.instrument, got.unsettled, got.settled, want.unsettled, want.settled)
		}
	}
	for key, got := range served {
		if _, ok := j.balances[key]; !ok {
			j.breach("account %d, instrument %d: the balances have %s and %s, the journal has no posting on it", key.account, key.instrument, got.unsettled, got.settled)
		}
	}
	j.checked("balances: %d of the API equal to the sums of the journal's postings", len(j.balances))
}
