package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// shard is the one that the servers serve.
const shard = 0

// journalCheck goes through the rows of the journal in their order. It holds them against what the clients and the roller remember, follows
// every trade through its life and every day of the business date, and works out what balances, cuts and stream must be.
type journalCheck struct {
	*verdict
	receipts map[string]receipt

	last     uint64
	hash     [32]byte
	epoch    int64
	bookedAt time.Time
	customer map[int64]bool
	found    int
	defined  int // entries that are definitions
	keyless  int // entries without a key, of a command or of a roll
	postings int
	balances map[balanceKey]balance
	stream   []expectedEvents // by sequence - 1

	group  group
	trades map[ledger.ID]*trade
	days   days
	count  struct{ canceled, corrected, correctedSettled, linked, late int }
}

// expectedEvents are what the stream must hold of an entry: one event under each key.
type expectedEvents struct {
	keys []eventKey
	key  string // of the command
	hash [32]byte
	seen uint64 // a bit for each leg; no entry of the loop has more than 64
}

// eventKey is an account's number, or an instrument's where it defines one, or that of all days.
type eventKey struct {
	id   int64
	what keyed
}

type keyed byte

const (
	byAccount keyed = iota
	byInstrument
	byDay
)

func newJournalCheck(v *verdict, receipts map[string]receipt) *journalCheck {
	return &journalCheck{
		verdict: v, receipts: receipts, hash: journal.ChainStart(shard),
		customer: map[int64]bool{}, balances: map[balanceKey]balance{}, trades: map[ledger.ID]*trade{}, days: newDays(),
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
}

func (j *journalCheck) entry(e *ledger.Entry) {
	at := &j.stream[e.ID.Seq()-1]
	at.key, at.hash, at.keys = e.Key, e.Hash, j.eventKeys(e)
	j.place(e)
	switch {
	case e.Account != nil || e.Define != nil:
		j.defined++
		return
	case e.Day != nil:
		return
	}
	j.postings += len(e.Postings)
	sums := map[int64]ledger.Amount{}
	for _, p := range e.Postings {
		sums[p.Instrument] = sums[p.Instrument].Add(p.Quantity)
		key := balanceKey{p.Account, p.Instrument}
		j.balances[key] = j.balances[key].with(p)
		j.days.post(e.EffectiveDate, p)
	}
	for instrument, sum := range sums {
		if !sum.IsZero() {
			j.breach("zero-sum: entry %d leaves %s of instrument %d", e.ID.Seq(), sum, instrument)
		}
	}
	j.live(e)
}

// eventKeys gives what an entry must be published under: what it defines; the days; each customer that it posts to, or the first account if
// there is none; and the parties of a trade that posts nothing.
func (j *journalCheck) eventKeys(e *ledger.Entry) (keys []eventKey) {
	switch {
	case e.Account != nil:
		j.customer[e.Account.ID] = e.Account.Kind == ledger.KindCustomer
		return []eventKey{{id: e.Account.ID}}
	case e.Define != nil:
		return []eventKey{{id: e.Define.ID, what: byInstrument}}
	case e.Day != nil:
		return []eventKey{{what: byDay}}
	case len(e.Postings) == 0 && e.Trade != nil:
		keys = append(keys, eventKey{id: e.Trade.Account.ID})
		if e.Trade.Target.ID != 0 {
			keys = append(keys, eventKey{id: e.Trade.Target.ID})
		}
		return keys
	}
	for _, p := range e.Postings {
		if key := (eventKey{id: p.Account}); j.customer[p.Account] && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 && len(e.Postings) > 0 {
		keys = []eventKey{{id: e.Postings[0].Account}}
	}
	return keys
}

// with adds a posting.
func (b balance) with(p ledger.Posting) balance {
	if p.Bucket == ledger.Settled {
		b.settled = b.settled.Add(p.Quantity)
	} else {
		b.unsettled = b.unsettled.Add(p.Quantity)
	}
	return b
}

// remembered holds an entry against the receipt of its key.
func (j *journalCheck) remembered(e *ledger.Entry) {
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
	}
	r.found = true
	j.receipts[e.Key] = r
	j.found++
}

func (j *journalCheck) conclude() {
	for key, r := range j.receipts {
		if !r.found {
			j.breach("key %s was acknowledged as entry %d and is not in the journal", key, r.entry.Seq())
		}
	}
	if j.group.want != anything {
		j.breach("the journal ends at %d, in the middle of what a command made: %s is missing", j.last, j.group.missing())
	}
	j.checked("journal: %d acknowledged keys, each there once, with the acknowledged id, time and content; none is there that wasn't acknowledged", j.found)
	j.checked("journal: %d entries without a gap, in one hash chain over %d terms; the %d without a key belong to a command or to a roll, or are one of %d definitions",
		j.last, j.epoch, j.keyless, j.defined)
	j.checked("journal: zero-sum of %d postings", j.postings)
	j.concludeTrades()
	j.concludeDays()
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
