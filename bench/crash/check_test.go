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

// books is a small journal that is right in every way: two customers and a street account, a trade between the customers, one of the
// first with the street, a correction of that, and a plain posting.
func books() []*ledger.Entry {
	const first, second, street, share = 1, 2, 3, 1
	open := func(id int64, kind ledger.AccountKind) *ledger.Entry {
		return &ledger.Entry{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: "x:1", Kind: kind}}
	}
	move := func(kind ledger.Kind, key string, to, from int64, quantity int64) *ledger.Entry {
		return &ledger.Entry{Kind: kind, Key: key, Content: ledger.Content{1, byte(len(key))}, Postings: []ledger.Posting{
			{Account: to, Instrument: share, Bucket: ledger.Unsettled, Quantity: ledger.AmountOf(quantity)},
			{Account: from, Instrument: share, Bucket: ledger.Unsettled, Quantity: ledger.AmountOf(-quantity)},
		}}
	}
	all := []*ledger.Entry{
		open(first, ledger.KindCustomer), open(second, ledger.KindCustomer), open(street, ledger.KindStreet),
		{Kind: ledger.KindInstrument, Define: &ledger.Instrument{ID: share, Symbol: "A", Kind: ledger.KindSecurity}},
		move(ledger.KindTransferTrade, "1/a", first, second, 100),
		move(ledger.KindExchangeTrade, "1/bb", first, street, 70),
		move(ledger.KindCancel, "", street, first, 70),
		move(ledger.KindExchangeTrade, "1/ccc", first, street, 80),
		move(ledger.KindPosting, "1/dddd", second, street, 5),
	}
	for i, e := range all {
		e.ID, e.Epoch, e.BookedAt = ledger.MakeID(shard, uint64(i+1)), int64(1+i/5), time.UnixMicro(int64(1000+i)).UTC()
	}
	all[6].Links = ledger.Links{Trade: all[5].ID, Reverses: all[5].ID, ReplacedBy: all[7].ID}
	all[7].Links = ledger.Links{Trade: all[7].ID, Corrects: all[5].ID}
	return all
}

// receiptsOf gives what clients would remember of them.
func receiptsOf(entries []*ledger.Entry) map[string]receipt {
	all := map[string]receipt{}
	for _, e := range entries {
		if e.Key != "" {
			r := receipt{entry: e.ID, bookedAt: e.BookedAt.UnixMicro(), content: e.Content, entries: 1}
			if e.Links.Corrects != 0 {
				r.entries = 2
			}
			all[e.Key] = r
		}
	}
	return all
}

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

// keysOf is what books must be published under, written down by hand.
func keysOf(e *ledger.Entry) []string {
	return [][]string{{"1"}, {"2"}, {"3"}, {"instrument/1"}, {"1", "2"}, {"1"}, {"1"}, {"1"}, {"2"}}[e.ID.Seq()-1]
}

func checkRows(receipts map[string]receipt, rows []journal.Row) *journalCheck {
	j := newJournalCheck(&verdict{}, receipts)
	for i := range rows {
		j.row(&rows[i])
	}
	j.conclude()
	return j
}

func TestJournalCheckHolds(t *testing.T) {
	t.Parallel()
	entries := books()
	j := checkRows(receiptsOf(entries), rowsOf(entries))
	j.compareBalances(map[balanceKey]balance{
		{1, 1}: {unsettled: ledger.AmountOf(180)}, {2, 1}: {unsettled: ledger.AmountOf(-95)}, {3, 1}: {unsettled: ledger.AmountOf(-85)},
	})
	if err := j.err(); err != nil {
		t.Error(err)
	}
	if j.found != 4 || j.made != 5 || j.postings != 10 || j.last != 9 {
		t.Errorf("found %d keys, %d entries made, %d postings, up to %d", j.found, j.made, j.postings, j.last)
	}
}

func TestJournalCheckFinds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func([]*ledger.Entry, map[string]receipt) []*ledger.Entry // before the rows are written
		rows  func([]journal.Row) []journal.Row                         // after
		want  string
	}{
		"an acknowledged entry is missing at the end": {rows: func(r []journal.Row) []journal.Row { return r[:8] }, want: "key 1/dddd was acknowledged as entry 9 and is not in the journal"},
		"a row is missing":                            {rows: func(r []journal.Row) []journal.Row { return slices.Delete(r, 4, 5) }, want: "gap: entry 6 follows 4"},
		"a byte is another": {rows: func(r []journal.Row) []journal.Row {
			r[4].Payload[len(r[4].Payload)-1] ^= 1
			return r
		}, want: "hash chain: entry 5"},
		"an entry nobody has a receipt for": {spoil: func(e []*ledger.Entry, r map[string]receipt) []*ledger.Entry { delete(r, "1/a"); return e }, want: "entry 5 has the key 1/a, which no client"},
		"a key twice":                       {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry { e[8].Key = "1/a"; return e }, want: "key 1/a is there twice: entry 9"},
		"another id than acknowledged": {spoil: func(e []*ledger.Entry, r map[string]receipt) []*ledger.Entry {
			a := r["1/a"]
			a.entry = 77
			r["1/a"] = a
			return e
		}, want: "key 1/a was acknowledged as entry 77"},
		"another content than sent": {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry {
			e[4].Content = ledger.Content{9}
			return e
		}, want: "key 1/a: entry 5 has another content"},
		"not balanced": {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry {
			e[4].Postings[0].Quantity = ledger.AmountOf(99)
			return e
		}, want: "zero-sum: entry 5 leaves -1"},
		"an epoch falls": {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry { e[7].Epoch = 1; return e }, want: "order: entry 8 has epoch 1"},
		"the clock goes back": {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry {
			e[7].BookedAt = time.UnixMicro(1).UTC()
			return e
		}, want: "order: entry 8"},
		"cancelled twice": {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry {
			e[8].Kind, e[8].Links.Trade = ledger.KindCancel, e[5].ID
			return e
		}, want: "entry 9 cancels trade 6, which was cancelled before"},
		"a correction without its cancel": {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry { e[6].Links.ReplacedBy = 5; return e }, want: "entry 8 corrects trade 6, and the entry before it"},
		"an entry without a key":          {spoil: func(e []*ledger.Entry, _ map[string]receipt) []*ledger.Entry { e[8].Key = ""; return e }, want: "entry 9, a posting, has no key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries := books()
			receipts := receiptsOf(entries)
			if test.spoil != nil {
				entries = test.spoil(entries, receipts)
			}
			rows := rowsOf(entries)
			if test.rows != nil {
				rows = test.rows(rows)
			}
			wantBreach(t, checkRows(receipts, rows).err(), test.want)
		})
	}
}

func TestBalancesAreCompared(t *testing.T) {
	t.Parallel()
	entries := books()
	j := checkRows(receiptsOf(entries), rowsOf(entries))
	j.compareBalances(map[balanceKey]balance{
		{1, 1}: {unsettled: ledger.AmountOf(179)}, {3, 1}: {unsettled: ledger.AmountOf(-85)}, {3, 2}: {},
	})
	wantBreach(t, j.err(), "account 1, instrument 1: the balances have 179 and 0, the journal's postings come to 180", "account 2, instrument 1", "account 3, instrument 2")
}

func TestStreamCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func([]*kgo.Record) []*kgo.Record
		want  string // "": no breach
	}{
		"as it must be":       {func(r []*kgo.Record) []*kgo.Record { return r }, ""},
		"an event is missing": {func(r []*kgo.Record) []*kgo.Record { return slices.Delete(r, 5, 6) }, "entry 5 leg 1 is not there"},
		"an event twice":      {func(r []*kgo.Record) []*kgo.Record { return slices.Insert(r, 6, r[5]) }, "entry 5 leg 1 is there twice"},
		"out of order": {func(r []*kgo.Record) []*kgo.Record {
			r[6], r[7] = r[7], r[6]
			return r
		}, "entry 6 leg 0 follows entry 7 leg 0"},
		"under another key": {func(r []*kgo.Record) []*kgo.Record {
			r[5].Key = []byte("4")
			return r
		}, "entry 5 leg 1 has the key 4, not 2"},
		"a key on two partitions": {func(r []*kgo.Record) []*kgo.Record {
			r[9].Partition++
			return r
		}, "key 2 is on the partitions"},
		"another entry inside": {func(r []*kgo.Record) []*kgo.Record {
			r[9].Value = r[8].Value
			return r
		}, "entry 9 leg 0 holds entry 8 of another journal"},
		"an event of nothing": {func(r []*kgo.Record) []*kgo.Record {
			r[9].Headers[0].Value = []byte("10")
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
				if err := s.err(); err != nil || s.events != 10 {
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
