package state_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/ledger"
)

// entry is a committed record of a changelog.
type entry struct {
	offset     int64
	key, value []byte
}

// changelog is a compacted topic's partition.
type changelog struct {
	entries []entry
	next    int64
}

// offsets gives those that records would be given.
func (c *changelog) offsets(records []state.Record) []int64 {
	at := make([]int64, len(records))
	for i := range records {
		at[i] = c.next + int64(i)
	}
	return at
}

func (c *changelog) append(records []state.Record) {
	for _, r := range records {
		c.entries = append(c.entries, entry{c.next, r.Key, r.Value})
		c.next++
	}
	c.next++ // the transaction's marker
}

// compact removes what has a later record of the same key, up to an offset.
func (c *changelog) compact(upTo int64) {
	latest := map[string]int64{}
	for _, e := range c.entries {
		if e.offset < upTo {
			latest[string(e.key)] = e.offset
		}
	}
	c.entries = slices.DeleteFunc(c.entries, func(e entry) bool { return e.offset < upTo && latest[string(e.key)] != e.offset })
}

func restore(id int32, entries []entry, from int64) (*state.Partition, error) {
	r := state.NewRestorer(id)
	for _, e := range entries {
		if e.offset >= from {
			if err := r.Add(e.key, e.value, e.offset); err != nil {
				return nil, err
			}
		}
	}
	return r.Finish()
}

// model is what the state should be.
type model struct {
	holdings map[state.HoldingKey]state.Holding
	trades   map[state.TradeKey]state.Trade
}

func (m model) clone() model { return model{maps.Clone(m.holdings), maps.Clone(m.trades)} }

func (m model) equal(p *state.Partition) error {
	if h, t := p.Sizes(); h != len(m.holdings) || t != len(m.trades) {
		return fmt.Errorf("%d holdings and %d trades, and not %d and %d", h, t, len(m.holdings), len(m.trades))
	}
	v := p.Overlay()
	for k, want := range m.holdings {
		if got := v.Holding(k); got != want {
			return fmt.Errorf("holding %v is %v and not %v", k, got, want)
		}
	}
	for k, want := range m.trades {
		if got, ok := v.Trade(k); !ok || got != want {
			return fmt.Errorf("trade %v is %v, %v and not %v", k, got, ok, want)
		}
	}
	return nil
}

func amounts() *rapid.Generator[ledger.Amount] {
	return rapid.Custom(func(t *rapid.T) ledger.Amount {
		switch rapid.IntRange(0, 3).Draw(t, "size") {
		case 0:
			return ledger.Amount{}
		case 1:
			return ledger.AmountOf(rapid.Int64Range(-1000, 1000).Draw(t, "units"))
		case 2:
			return ledger.AmountFromBits(0, rapid.Uint64().Draw(t, "low")) // at the edge of 64 bits
		}
		return ledger.AmountFromBits(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "high"), rapid.Uint64().Draw(t, "low"))
	})
}

// TestRestoreIsTheState: whatever transactions do, abort, or roll back, and however far compaction is, the changelog gives the state as it is; from the beginning and
// from where a restore may begin; and the restored one goes on as the other does.
func TestRestoreIsTheState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const id = 5
		p, log := state.New(id), &changelog{}
		now := model{map[state.HoldingKey]state.Holding{}, map[state.TradeKey]state.Trade{}}
		var start, next, skips int64
		long := strings.Repeat("x", rapid.SampledFrom([]int{0, 10, 60 << 10}).Draw(t, "extras"))
		for range rapid.IntRange(1, 60).Draw(t, "transactions") {
			o, after := p.Overlay(), now.clone()
			for range rapid.IntRange(0, 30).Draw(t, "events") {
				undo := after.clone()
				o.Mark()
				for range rapid.IntRange(0, 4).Draw(t, "changes") {
					n := rapid.Int64Range(1, 60).Draw(t, "id")
					switch rapid.IntRange(0, 3).Draw(t, "what") {
					case 0, 1:
						k := state.HoldingKey{Account: 100_000 + n%7, Instrument: n}
						h := state.Holding{Unsettled: amounts().Draw(t, "unsettled"), Settled: amounts().Draw(t, "settled")}
						o.SetHolding(k, h)
						if after.holdings[k] = h; h.IsZero() {
							delete(after.holdings, k)
						}
					case 2:
						k := state.TradeKey{Account: 100_000 + n%7, Trade: n}
						tr := state.Trade{BankID: bank.ID(n * 3), Replaces: bank.ID(n % 2), BookedAt: 1_381_132_800_464 + n, Extras: long[:len(long)*int(n)/60]}
						o.SetTrade(k, tr)
						after.trades[k] = tr
					default:
						k := state.TradeKey{Account: 100_000 + n%7, Trade: n}
						o.DropTrade(k)
						delete(after.trades, k)
					}
				}
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					o.Rollback()
					after = undo
				}
			}
			skip := rapid.IntRange(0, 19).Draw(t, "skip") == 0
			if skip {
				o.Skip(state.Skip{Offset: next, Entry: 7, At: time.UnixMilli(1_381_132_800_464).UTC(), Who: "anna", Why: "CHG-1", Error: "no such trade"})
			}
			next += rapid.Int64Range(1, 5).Draw(t, "read")
			position := state.Position{Next: next, Offset: next - 1, Entry: next * 2, Leg: 1, Sum: uint64(next) << 40}
			w, err := o.Write(position)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range w.Records {
				if len(r.Value) > state.MaxRecord+len(long)+1024 {
					t.Fatalf("a record of %d bytes", len(r.Value))
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "aborted") == 0 {
				log.next += int64(len(w.Records)) + 1
				next = p.Position().Next
				continue
			}
			at := log.offsets(w.Records)
			start = w.Start(at)
			log.append(w.Records)
			w.Commit(at)
			now = after
			if skip {
				skips++
			}
			if rapid.IntRange(0, 5).Draw(t, "compacts") == 0 {
				log.compact(rapid.Int64Range(0, log.next).Draw(t, "up to"))
			}
			if rapid.IntRange(0, 5).Draw(t, "restarts") > 0 {
				continue
			}
			for _, from := range []int64{0, start, rapid.Int64Range(0, start).Draw(t, "from")} {
				got, err := restore(id, log.entries, from)
				if err != nil {
					t.Fatalf("restore from %d of %d: %v", from, log.next, err)
				}
				if err := now.equal(got); err != nil {
					t.Fatalf("restored from %d of %d: %v", from, log.next, err)
				}
				if got.Position() != position {
					t.Fatalf("restored to %+v and not %+v", got.Position(), position)
				}
				if _, n := got.Skips(); n != skips {
					t.Fatalf("%d skips and not %d", n, skips)
				}
				p = got
			}
		}
		if err := now.equal(p); err != nil {
			t.Fatal(err)
		}
	})
}

// filled gives a changelog of many small transactions, so that keys were used again, compacted.
func filled(t *testing.T) (*state.Partition, *changelog) {
	t.Helper()
	p, log := state.New(0), &changelog{}
	for n := range int64(3000) {
		o := p.Overlay()
		o.SetHolding(state.HoldingKey{Account: n % 500, Instrument: n % 3}, state.Holding{Settled: ledger.AmountOf(n + 1)})
		w, err := o.Write(state.Position{Next: n + 1, Offset: n, Entry: n + 1})
		if err != nil {
			t.Fatal(err)
		}
		at := log.offsets(w.Records)
		log.append(w.Records)
		w.Commit(at)
	}
	log.compact(log.next)
	return p, log
}

// TestChangelogStaysSmall: keys are used again.
func TestChangelogStaysSmall(t *testing.T) {
	t.Parallel()
	p, log := filled(t)
	if n := len(log.entries); n < state.Slots || n > 5*state.Slots {
		t.Errorf("3000 transactions leave %d records, %d of them snapshots", n, state.Slots)
	}
	got, err := restore(0, log.entries, 0)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := p.Sizes()
	if n, _ := got.Sizes(); n != want {
		t.Errorf("%d holdings, not %d", n, want)
	}
}

// TestLostRecordIsNoticed: whichever record that matters is lost or altered, there is no state but an error.
func TestLostRecordIsNoticed(t *testing.T) {
	t.Parallel()
	p, log := filled(t)
	harmless := 0
	for i := range log.entries {
		lost := slices.Concat(log.entries[:i], log.entries[i+1:])
		got, err := restore(0, lost, 0)
		switch {
		case errors.Is(err, state.ErrIncomplete):
		case err != nil:
			t.Fatalf("without record %d: %v", i, err)
		case got.Position() != p.Position(): // told by the group's offset
		default:
			// An old delta whose key was not used again: the snapshots have it.
			if log.entries[i].key[0] != 'd' {
				t.Fatalf("record %d, key %q, is lost and not missed", i, log.entries[i].key)
			}
			harmless++
		}
		altered := slices.Clone(log.entries[i].value)
		altered[len(altered)/2] ^= 1
		if err := state.NewRestorer(0).Add(log.entries[i].key, altered, 1); !errors.Is(err, state.ErrCorrupt) {
			t.Fatalf("record %d altered: %v", i, err)
		}
	}
	if harmless > len(log.entries)/2 {
		t.Errorf("%d of %d records can be lost", harmless, len(log.entries))
	}
	if err := state.NewRestorer(1).Add(log.entries[0].key, log.entries[0].value, 0); !errors.Is(err, state.ErrCorrupt) || !strings.Contains(err.Error(), "of partition 0") {
		t.Errorf("a record of another partition: %v", err)
	}
}

func TestEmptyChangelog(t *testing.T) {
	t.Parallel()
	p, err := state.NewRestorer(3).Finish()
	if err != nil {
		t.Fatal(err)
	}
	if p.Position() != (state.Position{}) {
		t.Errorf("an empty changelog is at %+v", p.Position())
	}
}

// FuzzRestorer: whatever stands in the changelog, there is an answer.
func FuzzRestorer(f *testing.F) {
	o := state.New(0).Overlay()
	o.SetHolding(state.HoldingKey{Account: 1, Instrument: 2}, state.Holding{Settled: ledger.AmountOf(-3), Unsettled: ledger.AmountFromBits(1<<40, 1)})
	o.SetTrade(state.TradeKey{Account: 1, Trade: 4}, state.Trade{BankID: 1, Extras: "{}"})
	o.Skip(state.Skip{Who: "a", At: time.UnixMilli(0)})
	w, err := o.Write(state.Position{Next: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.Records[0].Value[:len(w.Records[0].Value)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		r := state.NewRestorer(0)
		if err := r.Add([]byte{'d'}, state.Sealed(body), 0); err != nil && !errors.Is(err, state.ErrCorrupt) && !errors.Is(err, state.ErrVersion) {
			t.Error(err)
		}
		_, _ = r.Finish()
	})
}
