package books_test

import (
	"fmt"
	"testing"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// TestWork replays what one BK did into another, and both give the same answers.
func TestWork(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	other.ids.Update(nil)
	ctx := t.Context()
	w.book(w.trade(`"client_trade_id":"A","user_data":{"x":1}`), w.trade(`"client_trade_id":"B","type":"transfer_trade","target_account_id":100019,"price":"1"`))
	w.roll(20131007)
	ids := w.book(w.trade(`"client_trade_id":"C","cancel_trade_id":"A"`), w.trade(`"client_trade_id":"D","date":20131008`))
	if err := w.CancelTrade(ctx, bank.TradeRef{TradeID: ids[1]}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.MoveCash(ctx, bank.Cash{ClientID: "x\ty", AccountID: 100018, Currency: "USD", Amount: dec("1.5"), Kind: bank.CashJournal, TargetAccountID: 100020}); err != nil {
		t.Fatal(err)
	}
	w.roll(20131011)

	entries, err := w.client.Query.ListEntries(ctx, connect.NewRequest(&bkv1.ListEntriesRequest{AtLeast: "head"}))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, e := range entries.Msg.Entries {
		work, err := w.WorkOf(ctx, e)
		switch {
		case err != nil:
			t.Fatal(err)
		case work.Replay != nil:
			counts["replay"]++
			counts["accounts"] += len(work.Accounts)
			err = other.Replay(ctx, *work.Replay)
		case work.Account != nil:
			counts["account"]++
			_, err = other.CreateAccount(ctx, *work.Account)
		case work.Roll != 0:
			counts["roll"]++
			err = other.Roll(ctx, work.Roll)
		}
		if err != nil {
			t.Errorf("entry %d, %s: %v", e.Id, e.Kind, err)
		}
	}
	if want := map[string]int{"replay": 6, "accounts": 8, "account": 4, "roll": 5}; fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("work %v, want %v", counts, want)
	}
	for account := bank.ID(100018); account <= 100020; account++ {
		same(t, account.String(), picture(t, other.Ledger, account), picture(t, w.Ledger, account))
	}
	// What the other one took over is nothing for Bank to do again.
	taken, err := other.client.Query.ListEntries(ctx, connect.NewRequest(&bkv1.ListEntriesRequest{AtLeast: "head"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range taken.Msg.Entries {
		if work, err := other.WorkOf(ctx, e); err != nil || work.Replay != nil {
			t.Errorf("entry %d, %s: %+v, %v", e.Id, e.Kind, work, err)
		}
	}
}

// picture is all that can be seen of an account.
func picture(t testing.TB, l *books.Ledger, account bank.ID) string {
	t.Helper()
	ctx := t.Context()
	rows, err := l.JournalRows(ctx, account, 0, 1000)
	text := lines(t, rows, err, rowText)
	positions, err := l.Positions(ctx, account, true, "", 1000)
	text += "\n" + lines(t, positions, err, positionText)
	balances, err := l.Balances(ctx, account)
	text += "\n" + lines(t, balances, err, balanceText)
	seen := map[bank.ID]bool{}
	for _, row := range rows {
		if row.TradeID == nil || seen[*row.TradeID] {
			continue
		}
		seen[*row.TradeID] = true
		s, err := l.Trade(ctx, bank.TradeRef{TradeID: *row.TradeID})
		if err != nil {
			t.Fatal(err)
		}
		one, err := l.AccountTrade(ctx, account, *row.TradeID)
		text += "\n" + string(s.AppendJSON(nil)) + lines(t, []bank.AccountTrade{one}, err, tradeText)
	}
	return text
}
