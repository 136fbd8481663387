package main

import (
	"crypto/sha256"
	"fmt"
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// Of the journal that the tests check: two customers, the street, the depository, and one share.
const first, second, street, depository, share = 1, 2, 3, 4, 1

// books is a small journal that is right in every way, written down by hand: a trade before the first roll, one on and one after the first
// business date, a roll over two days that is killed between them, a correction of a settled trade, which settles at once, a cancel of
// another, a plain posting, a trade that is cancelled while it is new, and one that is booked in its place later.
func books() []*ledger.Entry {
	const mar3, mar4, mar5, mar10 = 20250303, 20250304, 20250305, 20250310
	u, s := ledger.Unsettled, ledger.Settled
	post := func(account int64, bucket ledger.Bucket, quantity int64) ledger.Posting {
		return ledger.Posting{Account: account, Instrument: share, Bucket: bucket, Quantity: ledger.AmountOf(quantity)}
	}
	open := func(id int64, kind ledger.AccountKind) *ledger.Entry {
		return &ledger.Entry{Kind: ledger.KindOpen, Account: &ledger.Account{ID: id, Code: "x:1", Kind: kind}}
	}
	entry := func(kind ledger.Kind, key string, state ledger.TradeState, effective ledger.Date, links ledger.Links, postings ...ledger.Posting) *ledger.Entry {
		e := &ledger.Entry{Kind: kind, Key: key, State: state, EffectiveDate: effective, Links: links, Postings: postings}
		if key != "" {
			e.Content = ledger.Content{1, byte(len(key))}
		}
		return e
	}
	day := func(kind ledger.Kind, date, to ledger.Date, opened, settled, rows int64, cut string) *ledger.Entry {
		d := &ledger.Day{Date: date, To: to, Street: true, Opened: opened, Settled: settled, CutRows: rows}
		if cut != "" {
			d.CutHash = sha256.Sum256([]byte(cut))
		}
		return &ledger.Entry{Kind: kind, EffectiveDate: date, Day: d}
	}
	all := []*ledger.Entry{
		1: open(first, ledger.KindCustomer), 2: open(second, ledger.KindCustomer), 3: open(street, ledger.KindStreet),
		4: {Kind: ledger.KindInstrument, Define: &ledger.Instrument{ID: share, Symbol: "A", Kind: ledger.KindSecurity}},
		5: open(depository, ledger.KindLocation),
		6: entry(ledger.KindTransferTrade, "1/a", ledger.TradeOpen, mar3, ledger.Links{Trade: 6}, post(first, u, 100), post(second, u, -100)),

		7: day(ledger.KindDayBegin, mar3, mar3, 0, 0, 0, ""),
		8: day(ledger.KindDayEnd, mar3, mar3, 0, 0, 2, "bk cut v1 20250303\n1:1:100:0\n2:1:-100:0\n"),

		9:  entry(ledger.KindExchangeTrade, "1/bb", ledger.TradeOpen, mar3, ledger.Links{Trade: 9}, post(first, u, 70), post(street, u, -70)),
		10: entry(ledger.KindExchangeTrade, "1/ccc", ledger.TradeNew, mar4, ledger.Links{Trade: 10}),

		11: day(ledger.KindDayBegin, mar4, mar5, 0, 0, 0, ""),
		12: entry(ledger.KindTradeOpen, "", ledger.TradeOpen, mar4, ledger.Links{Trade: 10}, post(first, u, 50), post(street, u, -50)),
		13: entry(ledger.KindSettle, "", ledger.TradeSettled, mar4, ledger.Links{Trade: 6},
			post(first, u, -100), post(first, s, 100), post(second, u, 100), post(second, s, -100)),
		14: entry(ledger.KindSettle, "", ledger.TradeSettled, mar4, ledger.Links{Trade: 9},
			post(first, u, -70), post(first, s, 70), post(street, u, 70), post(depository, s, -70)),
		15: day(ledger.KindDayEnd, mar4, mar5, 1, 2, 4, "bk cut v1 20250304\n1:1:50:170\n2:1:0:-100\n3:1:-50:0\n4:1:0:-70\n"),
		16: day(ledger.KindDayBegin, mar5, mar5, 0, 0, 0, ""),
		17: entry(ledger.KindSettle, "", ledger.TradeSettled, mar5, ledger.Links{Trade: 10},
			post(first, u, -50), post(first, s, 50), post(street, u, 50), post(depository, s, -50)),
		18: day(ledger.KindDayEnd, mar5, mar5, 0, 1, 3, "bk cut v1 20250305\n1:1:0:220\n2:1:0:-100\n4:1:0:-120\n"),

		19: entry(ledger.KindReverse, "", ledger.TradeOpen, mar4, ledger.Links{Trade: 9, Reverses: 14},
			post(first, u, 70), post(first, s, -70), post(street, u, -70), post(depository, s, 70)),
		20: entry(ledger.KindCancel, "", ledger.TradeCanceled, mar3, ledger.Links{Trade: 9, Reverses: 9, ReplacedBy: 21}, post(first, u, -70), post(street, u, 70)),
		21: entry(ledger.KindExchangeTrade, "1/dddd", ledger.TradeOpen, mar3, ledger.Links{Trade: 21, Corrects: 9, Root: 9}, post(first, u, 80), post(street, u, -80)),
		22: entry(ledger.KindSettle, "", ledger.TradeSettled, mar5, ledger.Links{Trade: 21, Corrects: 9, Root: 9},
			post(first, u, -80), post(first, s, 80), post(street, u, 80), post(depository, s, -80)),

		23: entry(ledger.KindReverse, "", ledger.TradeOpen, mar4, ledger.Links{Trade: 6, Reverses: 13},
			post(first, u, 100), post(first, s, -100), post(second, u, -100), post(second, s, 100)),
		24: entry(ledger.KindCancel, "1/eeeee", ledger.TradeCanceled, mar3, ledger.Links{Trade: 6, Reverses: 6}, post(first, u, -100), post(second, u, 100)),

		25: entry(ledger.KindPosting, "1/ffffff", "", mar5, ledger.Links{}, post(second, u, 5), post(street, u, -5)),
		26: entry(ledger.KindTransferTrade, "1/ggggggg", ledger.TradeNew, mar10, ledger.Links{Trade: 26}),
		27: entry(ledger.KindCancel, "1/hhhhhhhh", ledger.TradeCanceled, mar10, ledger.Links{Trade: 26, Reverses: 26}),
		28: entry(ledger.KindLink, "", ledger.TradeCanceled, mar10, ledger.Links{Trade: 26, ReplacedBy: 29}),
		29: entry(ledger.KindTransferTrade, "1/iiiiiiiii", ledger.TradeNew, mar10, ledger.Links{Trade: 29, Corrects: 26, Root: 26}),
	}[1:]
	dates := map[ledger.ID][2]ledger.Date{6: {mar3, mar4}, 9: {mar3, mar4}, 10: {mar4, mar5}, 21: {mar3, mar5}, 26: {mar10, mar10}, 29: {mar10, mar10}}
	for i, e := range all {
		e.ID, e.Epoch, e.BookedAt = ledger.MakeID(shard, uint64(i+1)), int64(1+i/15), time.UnixMicro(int64(1000+i)).UTC()
		if e.Links.Trade == 0 {
			continue
		}
		e.TradeDate, e.SettleDate = dates[e.Links.Trade][0], dates[e.Links.Trade][1]
		e.Trade = &ledger.Trade{Account: ledger.AccountRef{ID: first}}
		if e.Links.Trade == 6 || e.Links.Trade == 26 || e.Links.Trade == 29 {
			e.Trade.Target = ledger.AccountRef{ID: second}
		}
	}
	return all
}

// keysOf is what books must be published under, written down by hand.
func keysOf(e *ledger.Entry) []string {
	return [][]string{
		1: {"1"}, 2: {"2"}, 3: {"3"}, 4: {"instrument/1"}, 5: {"4"}, 6: {"1", "2"}, 7: {"day"}, 8: {"day"}, 9: {"1"}, 10: {"1"},
		11: {"day"}, 12: {"1"}, 13: {"1", "2"}, 14: {"1"}, 15: {"day"}, 16: {"day"}, 17: {"1"}, 18: {"day"},
		19: {"1"}, 20: {"1"}, 21: {"1"}, 22: {"1"}, 23: {"1", "2"}, 24: {"1", "2"}, 25: {"2"}, 26: {"1", "2"}, 27: {"1", "2"},
		28: {"1", "2"}, 29: {"1", "2"},
	}[e.ID.Seq()]
}

// events are how many that are.
const events = 37

// balancesOf gives what books come to, worked out by hand.
func balancesOf() map[balanceKey]balance {
	return map[balanceKey]balance{
		{first, share}: {settled: ledger.AmountOf(130)}, {second, share}: {unsettled: ledger.AmountOf(5)},
		{street, share}: {unsettled: ledger.AmountOf(-5)}, {depository, share}: {settled: ledger.AmountOf(-130)},
	}
}

// receiptsOf gives what clients would remember of them.
func receiptsOf(entries []*ledger.Entry) map[string]receipt {
	all := map[string]receipt{}
	for i, e := range entries {
		if e.Key != "" {
			r := receipt{entry: e.ID, bookedAt: e.BookedAt.UnixMicro(), content: e.Content, upTo: e.ID.Seq()}
			if e.Kind.IsTrade() && i+1 < len(entries) && entries[i+1].Kind == ledger.KindSettle {
				r.upTo++
			}
			all[e.Key] = r
		}
	}
	return all
}

// toldOf gives what the roller would remember of a day.
func toldOf(e *ledger.Entry) *bkv1.RolledDay {
	return &bkv1.RolledDay{
		Date: int32(e.Day.Date), Opened: e.Day.Opened, Settled: e.Day.Settled, CutRows: e.Day.CutRows, CutHash: fmt.Sprintf("%x", e.Day.CutHash), Token: fmt.Sprintf("0:%d", e.ID),
	}
}
