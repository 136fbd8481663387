package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/ledger/publisher"
)

// rowsOf writes entries as rows, and their hashes into the entries.
func rowsOf(entries []*ledger.Entry) []journal.Row {
	var rows []journal.Row
	hash := journal.ChainStart(shard)
	for _, e := range entries {
		r := journal.Row{Seq: e.ID.Seq(), Epoch: e.Epoch, Payload: ledger.AppendEntry(nil, e)}
		hash = journal.ChainNext(hash, shard, &r)
		r.Hash, e.Hash = hash, hash
		rows = append(rows, r)
	}
	return rows
}

// recordsOf writes entries as records, the customers' on the partition of their number.
func recordsOf(t *testing.T, entries []*ledger.Entry, keys func(*ledger.Entry) []string) []*kgo.Record {
	t.Helper()
	var records []*kgo.Record
	for _, e := range entries {
		value, err := proto.Marshal(&bkv1.Event{Entry: wire.Entry(e)})
		if err != nil {
			t.Fatal(err)
		}
		all := keys(e)
		for leg, key := range all {
			head := func(name string, n int) kgo.RecordHeader {
				return kgo.RecordHeader{Key: name, Value: []byte(strconv.Itoa(n))}
			}
			records = append(records, &kgo.Record{Key: []byte(key), Value: value, Partition: int32(key[0]) % 2, Headers: []kgo.RecordHeader{
				head(publisher.HeaderSeq, int(e.ID.Seq())), head(publisher.HeaderLeg, leg), head(publisher.HeaderLegs, len(all)),
			}})
		}
	}
	return records
}

func checkRows(receipts map[string]receipt, rows []journal.Row) *journalCheck {
	j := newJournalCheck(&verdict{}, receipts)
	j.days.reached = 20250305
	checkOn(j, rows)
	return j
}

func checkOn(j *journalCheck, rows []journal.Row) {
	for i := range rows {
		j.row(&rows[i])
	}
	j.conclude()
}

func TestJournalCheckHolds(t *testing.T) {
	t.Parallel()
	entries := books()
	j := newJournalCheck(&verdict{}, receiptsOf(entries))
	j.days.told, j.days.reached = map[ledger.Date]*bkv1.RolledDay{20250304: toldOf(entries[14]), 20250305: toldOf(entries[17])}, 20250305
	checkOn(j, rowsOf(entries))
	j.compareBalances(balancesOf())
	if err := j.err(); err != nil {
		t.Error(err)
	}
	for _, count := range []struct {
		what      string
		got, want int
	}{
		{"keys found", j.found, 9}, {"definitions", j.defined, 5}, {"entries without a key", j.keyless, 15}, {"postings", j.postings, 38}, {"entries", int(j.last), 29},
		{"trades", len(j.trades), 6}, {"linked", j.count.linked, 1}, {"cancelled", j.count.canceled, 3}, {"corrections of settled trades", j.count.correctedSettled, 1}, {"booked late", j.count.late, 1},
		{"days", j.days.count, 3}, {"rolls", j.days.rolls, 2}, {"opened", j.days.opens, 1}, {"settled", j.days.settlements, 3}, {"resumed rolls", j.days.resumed, 1},
	} {
		if count.got != count.want {
			t.Errorf("%s: %d, want %d", count.what, count.got, count.want)
		}
	}
}

func TestJournalCheckFinds(t *testing.T) {
	t.Parallel()
	// An entry that a client booked instead of what must be there.
	posting := func(e *ledger.Entry) {
		*e = ledger.Entry{ID: e.ID, Epoch: e.Epoch, BookedAt: e.BookedAt, Kind: ledger.KindPosting, Key: "1/x", EffectiveDate: 20250305, Postings: []ledger.Posting{
			{Account: first, Instrument: share, Bucket: ledger.Settled, Quantity: ledger.AmountOf(1)},
			{Account: second, Instrument: share, Bucket: ledger.Settled, Quantity: ledger.AmountOf(-1)},
		}}
	}
	for name, test := range map[string]struct {
		spoil func(seq func(int) *ledger.Entry) // before the rows are written
		rows  func([]journal.Row) []journal.Row // after
		know  func(map[string]receipt, *days)   // what clients and roller remember
		want  string
	}{
		"an acknowledged entry is missing at the end": {rows: func(r []journal.Row) []journal.Row { return r[:27] }, want: "key 1/iiiiiiiii was acknowledged as entry 29 and is not in the journal"},
		"a row is missing":                            {rows: func(r []journal.Row) []journal.Row { return slices.Delete(r, 5, 6) }, want: "gap: entry 7 follows 5"},
		"a byte is another": {rows: func(r []journal.Row) []journal.Row {
			r[5].Payload[len(r[5].Payload)-1] ^= 1
			return r
		}, want: "hash chain: entry 6"},
		"an entry nobody has a receipt for": {know: func(r map[string]receipt, _ *days) { delete(r, "1/a") }, want: "entry 6 has the key 1/a, which no client"},
		"a key twice":                       {spoil: func(seq func(int) *ledger.Entry) { seq(25).Key = "1/a" }, want: "key 1/a is there twice: entry 25"},
		"another id than acknowledged": {know: func(r map[string]receipt, _ *days) {
			a := r["1/a"]
			a.entry = 77
			r["1/a"] = a
		}, want: "key 1/a was acknowledged as entry 77"},
		"another content than sent": {know: func(r map[string]receipt, _ *days) {
			a := r["1/a"]
			a.content = ledger.Content{9}
			r["1/a"] = a
		}, want: "key 1/a: entry 6 has another content"},
		"another last entry than told": {know: func(r map[string]receipt, _ *days) {
			a := r["1/dddd"]
			a.upTo = 21
			r["1/dddd"] = a
		}, want: "its client was told that entry 21 is its last, it is 22"},
		"not balanced":        {spoil: func(seq func(int) *ledger.Entry) { seq(6).Postings[0].Quantity = ledger.AmountOf(99) }, want: "zero-sum: entry 6 leaves -1"},
		"an epoch falls":      {spoil: func(seq func(int) *ledger.Entry) { seq(25).Epoch = 1 }, want: "order: entry 25 has epoch 1"},
		"the clock goes back": {spoil: func(seq func(int) *ledger.Entry) { seq(8).BookedAt = time.UnixMicro(1).UTC() }, want: "order: entry 8"},

		"an entry without a key":          {spoil: func(seq func(int) *ledger.Entry) { seq(25).Key = "" }, want: "entry 25, a posting, has no key, and belongs to no command and no roll"},
		"a correction without its cancel": {spoil: func(seq func(int) *ledger.Entry) { seq(20).Links.ReplacedBy = 5 }, want: "entry 21, a trade.exchange, follows where trade 5 in place of the cancelled trade 9 must"},
		"a correction that nothing is cancelled for": {spoil: func(seq func(int) *ledger.Entry) {
			posting(seq(20))
		}, want: "entry 21 corrects trade 9, and the entry before it isn't the cancel or the link"},
		"a correction in two terms": {spoil: func(seq func(int) *ledger.Entry) {
			for n := 21; n <= 29; n++ {
				seq(n).Epoch = 3
			}
		}, want: "entry 21, a trade.exchange, follows where trade 21 in place of the cancelled trade 9 must"},
		"a correction without its booking":  {rows: func(r []journal.Row) []journal.Row { return r[:20] }, want: "the journal ends at 20, in the middle of what a command made: trade 21 in place"},
		"a late trade that does not settle": {spoil: func(seq func(int) *ledger.Entry) { posting(seq(22)) }, want: "entry 22, a posting, follows where the settlement of trade 21, which was booked late, must"},
		"a reversal without its cancel":     {spoil: func(seq func(int) *ledger.Entry) { posting(seq(24)) }, want: "entry 24, a posting, follows where the cancel of trade 6, whose settlement was reversed, must"},
		"a correction in another's place":   {spoil: func(seq func(int) *ledger.Entry) { seq(21).Links.Root, seq(22).Links.Root = 6, 6 }, want: "stands in place of trade 6, not of 9"},

		"a link without its booking":     {spoil: func(seq func(int) *ledger.Entry) { posting(seq(29)) }, want: "entry 29, a posting, follows where trade 29 in place of the cancelled trade 26 must"},
		"a link of what isn't cancelled": {spoil: func(seq func(int) *ledger.Entry) { posting(seq(27)) }, want: "entry 28 of 2025-03-10 links trade 26, which is new, to trade 29"},
		"a link to another trade":        {spoil: func(seq func(int) *ledger.Entry) { seq(28).Links.ReplacedBy = 25 }, want: "links trade 26, which is canceled, to trade 25"},

		"cancelled twice": {spoil: func(seq func(int) *ledger.Entry) {
			seq(25).Kind, seq(25).Links.Trade, seq(25).TradeDate, seq(25).SettleDate = ledger.KindCancel, 6, 20250303, 20250304
		}, want: "entry 25, a trade.cancel, is about trade 6, which was cancelled before"},
		"settled twice":               {spoil: func(seq func(int) *ledger.Entry) { seq(17).Links.Trade = 9 }, want: "entry 17 settles trade 9 of 2025-03-04, which is settled"},
		"opened twice":                {spoil: func(seq func(int) *ledger.Entry) { seq(12).Links.Trade = 9 }, want: "entry 12 opens trade 9 of 2025-03-03, which is open"},
		"about a trade of the future": {spoil: func(seq func(int) *ledger.Entry) { seq(12).Links.Trade = 21 }, want: "entry 12, a trade.open, is about trade 21, which is not booked before"},
		"cancelled while settled":     {spoil: func(seq func(int) *ledger.Entry) { posting(seq(23)) }, want: "entry 24 cancels trade 6, whose settlement 13 is not reversed"},
		"no exact negation": {spoil: func(seq func(int) *ledger.Entry) {
			seq(24).Postings[0].Quantity, seq(24).Postings[1].Quantity = ledger.AmountOf(-99), ledger.AmountOf(99)
		}, want: "entry 24 is not the negation of entry 6"},
		"something is left of a cancelled trade": {spoil: func(seq func(int) *ledger.Entry) {
			seq(24).Postings[0].Bucket, seq(24).Postings[1].Bucket = ledger.Settled, ledger.Settled
		}, want: "entry 24 cancels trade 6, which leaves -100 of instrument 1 on account 2 (u)"},
		"another entry reversed":     {spoil: func(seq func(int) *ledger.Entry) { seq(23).Links.Reverses = 6 }, want: "reverses entry 6, entry 13 of 2025-03-04 is the one"},
		"reversed on another day":    {spoil: func(seq func(int) *ledger.Entry) { seq(23).EffectiveDate = 20250305 }, want: "entry 23 of 2025-03-05 reverses entry 13"},
		"open before its trade date": {spoil: func(seq func(int) *ledger.Entry) { seq(10).State = ledger.TradeOpen }, want: "entry 10 books trade open of 2025-03-04 with 0 postings, on the business date 2025-03-03"},
		"another state than it says": {spoil: func(seq func(int) *ledger.Entry) { seq(13).State = ledger.TradeOpen }, want: "entry 13 says that trade 6 is open, it is settled"},
		"settled on another day":     {spoil: func(seq func(int) *ledger.Entry) { seq(14).EffectiveDate = 20250305 }, want: "entry 14 settles trade 9 of 2025-03-04, which is open, effective 2025-03-05"},
		"settled in part":            {spoil: func(seq func(int) *ledger.Entry) { seq(13).Postings = seq(13).Postings[2:] }, want: "entry 13 settles trade 6, and leaves 100 of instrument 1 unsettled on account 1"},
		"settled without the street": {spoil: func(seq func(int) *ledger.Entry) { seq(14).Postings = seq(14).Postings[:2] }, want: "entry 14 settles trade 9, and leaves -70 of instrument 1 unsettled on account 3"},
		"settled with the street": {spoil: func(seq func(int) *ledger.Entry) {
			for n := 11; n <= 18; n++ {
				if seq(n).Day != nil {
					seq(n).Day.Street = false
				}
			}
		}, want: "entry 14 settles trade 9 without its street side, and posts to account 3"},

		"a client's entry within a roll":              {spoil: func(seq func(int) *ledger.Entry) { posting(seq(13)) }, want: "entry 13, a posting, lies within the roll to 2025-03-05"},
		"a client's entry between two days of a roll": {spoil: func(seq func(int) *ledger.Entry) { posting(seq(16)) }, want: "entry 16, a posting, lies within the roll to 2025-03-05"},
		"settled out of order":                        {spoil: func(seq func(int) *ledger.Entry) { seq(13).Links.Trade, seq(14).Links.Trade = 9, 6 }, want: "entry 13 is a trade.settle of trade 9, due on 2025-03-04 is a trade.settle of trade 6"},
		"one due is left out":                         {spoil: func(seq func(int) *ledger.Entry) { *seq(14), *seq(15) = *seq(15), *seq(16) }, want: "entry 14 ends 2025-03-04, and 1 trades that are due"},
		"one not due":                                 {spoil: func(seq func(int) *ledger.Entry) { seq(9).SettleDate = 20250306 }, want: "comes although nothing more is due on 2025-03-04"},
		"a hole between days":                         {spoil: func(seq func(int) *ledger.Entry) { seq(16).Day.Date = 20250306 }, want: "entry 16 begins 2025-03-06, behind 2025-03-04"},
		"another roll before its end":                 {spoil: func(seq func(int) *ledger.Entry) { seq(16).Day.To = 20250307 }, want: "entry 16 begins 2025-03-05 of a roll to 2025-03-07 (street: true), under way is one to 2025-03-05"},
		"the end of another day":                      {spoil: func(seq func(int) *ledger.Entry) { seq(15).Day.Date = 20250305 }, want: "entry 15 ends 2025-03-05 of a roll to 2025-03-05, under way is 2025-03-04"},
		"another count":                               {spoil: func(seq func(int) *ledger.Entry) { seq(15).Day.Opened = 2 }, want: "entry 15 ends 2025-03-04 with 2 trades opened and 2 settled, due were 1 and 2"},
		"another cut":                                 {spoil: func(seq func(int) *ledger.Entry) { seq(18).Day.CutHash[7] ^= 1 }, want: "entry 18 ends 2025-03-05 with a cut of 3 rows"},
		"another number of rows":                      {spoil: func(seq func(int) *ledger.Entry) { seq(18).Day.CutRows = 4 }, want: "entry 18 ends 2025-03-05 with a cut of 4 rows"},
		"a cut of what counts later":                  {spoil: func(seq func(int) *ledger.Entry) { seq(6).EffectiveDate = 20250304 }, want: "entry 8 ends 2025-03-03 with a cut of 2 rows"},
		"a roll that does not end":                    {rows: func(r []journal.Row) []journal.Row { return r[:15] }, want: "the roll to 2025-03-05 is not finished: the journal ends on 2025-03-04"},
		"a day that was told otherwise":               {know: func(_ map[string]receipt, d *days) { d.told[20250304].Settled = 3 }, want: "entry 15 ends 2025-03-04 with 1 opened and 2 settled"},
		"a day at another place":                      {know: func(_ map[string]receipt, d *days) { d.told[20250304].Token = "0:14" }, want: "the roller was told"},
		"a day that was told and is lost":             {know: func(_ map[string]receipt, d *days) { d.told[20250306] = &bkv1.RolledDay{} }, want: "the roller was told that 2025-03-06 had ended"},
		"a roll that nobody asked for":                {know: func(_ map[string]receipt, d *days) { d.reached = 20250304 }, want: "the journal ends on 2025-03-05, the roller was told that 2025-03-04 is reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := books()
			j := newJournalCheck(&verdict{}, receiptsOf(entries))
			j.days.told, j.days.reached = map[ledger.Date]*bkv1.RolledDay{20250304: toldOf(entries[14])}, 20250305
			if test.know != nil {
				test.know(j.receipts, &j.days)
			}
			if test.spoil != nil {
				test.spoil(func(seq int) *ledger.Entry { return entries[seq-1] })
				for i, e := range entries {
					e.ID = ledger.MakeID(shard, uint64(i+1))
				}
			}
			rows := rowsOf(entries)
			if test.rows != nil {
				rows = test.rows(rows)
			}
			checkOn(j, rows)
			wantBreach(t, j.err(), test.want)
		})
	}
}

func TestBalancesAreCompared(t *testing.T) {
	t.Parallel()
	entries := books()
	j := checkRows(receiptsOf(entries), rowsOf(entries))
	served := balancesOf()
	served[balanceKey{first, share}] = balance{settled: ledger.AmountOf(129)}
	served[balanceKey{depository, 2}] = balance{}
	delete(served, balanceKey{second, share})
	j.compareBalances(served)
	wantBreach(t, j.err(), "account 1, instrument 1: the balances have 0 and 129, the journal's postings come to 0 and 130", "account 2, instrument 1", "account 4, instrument 2")
}

func TestStreamCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func([]*kgo.Record) []*kgo.Record
		want  string // "": no breach
	}{
		"as it must be":       {func(r []*kgo.Record) []*kgo.Record { return r }, ""},
		"an event is missing": {func(r []*kgo.Record) []*kgo.Record { return slices.Delete(r, 6, 7) }, "entry 6 leg 1 is not there"},
		"an event twice":      {func(r []*kgo.Record) []*kgo.Record { return slices.Insert(r, 7, r[6]) }, "entry 6 leg 1 is there twice"},
		"out of order": {func(r []*kgo.Record) []*kgo.Record {
			r[7], r[8] = r[8], r[7]
			return r
		}, "entry 7 leg 0 follows entry 8 leg 0"},
		"under another key": {func(r []*kgo.Record) []*kgo.Record {
			r[6].Key = []byte("4")
			return r
		}, "entry 6 leg 1 has the key 4, not 2"},
		"a key on two partitions": {func(r []*kgo.Record) []*kgo.Record {
			r[6].Partition++
			return r
		}, "key 2 is on the partitions"},
		"another entry inside": {func(r []*kgo.Record) []*kgo.Record {
			r[9].Value = r[8].Value
			return r
		}, "entry 9 leg 0 holds entry 8 of another journal"},
		"an event of nothing": {func(r []*kgo.Record) []*kgo.Record {
			r[9].Headers[0].Value = []byte("30")
			return r
		}, "is no event of the journal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := books()
			j := checkRows(receiptsOf(entries), rowsOf(entries))
			s := newStreamCheck(&verdict{}, j)
			for _, r := range test.spoil(recordsOf(t, entries, keysOf)) {
				s.record(r)
			}
			s.conclude(2)
			if test.want == "" {
				if err := s.err(); err != nil || s.events != events {
					t.Errorf("%d events: %v", s.events, err)
				}
				return
			}
			wantBreach(t, s.err(), test.want)
		})
	}
}

func TestVerdictIsBounded(t *testing.T) {
	t.Parallel()
	v := &verdict{}
	for i := range 1000 {
		v.breach("breach %d", i)
	}
	if got := v.err().Error(); strings.Count(got, "\n") != maxTold || !strings.HasPrefix(got, "1000 breaches") {
		t.Errorf("1000 breaches are told as %q", got)
	}
}
