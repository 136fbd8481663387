package main

import (
	"math/rand/v2"
	"testing"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

func TestOrdersFollowTheBusinessDate(t *testing.T) {
	t.Parallel()
	const count = 20_000
	today := firstDay
	day, err := tradingDay(3, 7, rand.New(rand.NewPCG(7, 3)), func() ledger.Date { return today })
	if err != nil {
		t.Fatal(err)
	}
	n, late, ahead, irregular, events, corrections := 0, 0, 0, 0, 0, 0
	keys := map[string]bool{}
	for o := range day {
		if keys[o.key] || o.content == (ledger.Content{}) || o.message.Key != o.key {
			t.Fatalf("key %s: there before %v, content %x", o.key, keys[o.key], o.content)
		}
		keys[o.key] = true
		if o.target != "" && !keys[o.target] {
			t.Fatalf("key %s needs %s, which doesn't come before", o.key, o.target)
		}
		switch m := o.message; m.Command.(type) {
		case *bkv1.Command_Event:
			events++
		case *bkv1.Command_Correct:
			corrections++
		case *bkv1.Command_Trade:
			date := ledger.Date(m.TradeDate)
			if date < addDays(today, -10) || date > addDays(today, 3) || !o.trade {
				t.Fatalf("key %s: a trade of %s on %s, trade: %v", o.key, date, today, o.trade)
			}
			if date < today {
				late++
			} else if date > today {
				ahead++
			}
			if m.SettleDate != 0 {
				irregular++
			}
		}
		if n++; n == count {
			break
		}
		if n%100 == 0 {
			today = addDays(today, 1)
		}
	}
	for what, got := range map[string][2]int{
		"booked late": {late, count / 10}, "booked ahead": {ahead, count / 10}, "with a settlement date": {irregular, count / 50},
		"events": {events, count / 30}, "corrections": {corrections, count / 60},
	} {
		if got[0] < got[1] {
			t.Errorf("%d %s, want at least %d", got[0], what, got[1])
		}
	}
}
