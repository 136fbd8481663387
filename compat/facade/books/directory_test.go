package books_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	odd := bank.Entity{EntityID: 2, ClientCode: "T\tW", LegalName: strings.Repeat("é", 256)}
	for _, created := range []bool{true, false} {
		if is, err := w.CreateEntity(ctx, odd); err != nil || is != created {
			t.Errorf("entity: %t, %v", is, err)
		}
	}
	_, err := w.CreateEntity(ctx, bank.Entity{EntityID: 2, ClientCode: "TW", LegalName: "x"})
	refused(t, "entity of other content", err, bank.Conflict)
	if e, err := w.Entity(ctx, 2); err != nil || e != odd {
		t.Errorf("entity %+v, %v", e, err)
	}
	_, err = w.Entity(ctx, 3)
	refused(t, "no entity", err, bank.EntityNotFound)
	entities, err := w.Entities(ctx, 1, 10)
	if err != nil || len(entities) != 1 || entities[0] != odd {
		t.Errorf("entities %+v, %v", entities, err)
	}

	long := bank.NewAccount{AccountID: 5, EntityID: 2, Name: strings.Repeat("é", 256)}
	for _, created := range []bool{true, false} {
		if is, err := w.CreateAccount(ctx, long); err != nil || is != created {
			t.Errorf("account: %t, %v", is, err)
		}
	}
	for name, a := range map[string]bank.NewAccount{"name": {AccountID: 5, EntityID: 2, Name: "x"}, "entity": {AccountID: 5, EntityID: 1, Name: long.Name}} {
		_, err = w.CreateAccount(ctx, a)
		refused(t, "account of another "+name, err, bank.Conflict)
	}
	_, err = w.CreateAccount(ctx, bank.NewAccount{AccountID: 6, EntityID: 3, Name: "x"})
	refused(t, "account of no entity", err, bank.EntityNotFound)
	_, fresh := w.replica(books.Config{})
	if a, err := fresh.Account(ctx, 5); err != nil || a != (bank.Account{AccountID: 5, AccountNumber: "5", EntityID: 2, Name: long.Name}) {
		t.Errorf("account %+v, %v", a, err)
	}
	// The house's accounts and those of BK's own users are none of Bank's.
	w.book(w.trade(""))
	if _, err := w.client.Directory.CreateAccount(ctx, connect.NewRequest(&bkv1.CreateAccountRequest{Account: &bkv1.Account{Id: 9, Code: "firm:nine"}})); err != nil {
		t.Fatal(err)
	}
	_, err = w.Account(ctx, 9)
	refused(t, "the firm's account", err, bank.AccountNotFound)
	for _, size := range []int{1, 2, 100} {
		var ids []string
		for after, l := bank.ID(0), w.Ledger; ; l = fresh {
			page, err := l.Accounts(ctx, after, size+1)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page[:min(size, len(page))] {
				ids = append(ids, a.AccountID.String())
				after = a.AccountID
			}
			if len(page) <= size {
				break
			}
		}
		if got := strings.Join(ids, " "); got != "5 100018 100019 100020 100021" {
			t.Errorf("accounts by %d: %s", size, got)
		}
	}
}

func TestCash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	move := func(c bank.Cash) (bank.ID, error) { return w.MoveCash(ctx, c) }
	deposit := bank.Cash{ClientID: "a\tb", AccountID: 100018, Currency: "USD", Amount: dec("250"), Kind: bank.Deposit}
	id, err := move(deposit)
	if err != nil {
		t.Fatal(err)
	}
	deposit.Amount = dec("250.00")
	if again, err := move(deposit); err != nil || again != id {
		t.Errorf("again: %d, %v", again, err)
	}
	deposit.Amount = dec("251")
	_, err = move(deposit)
	refused(t, "another amount", err, bank.Conflict)
	_, err = move(bank.Cash{ClientID: "b", AccountID: 77, Currency: "USD", Amount: dec("1"), Kind: bank.Withdrawal})
	refused(t, "nobody's", err, bank.UnknownAccount)
	_, err = move(bank.Cash{ClientID: "b", AccountID: 100018, Currency: "USD", Amount: dec("1"), Kind: bank.CashJournal, TargetAccountID: 77})
	refused(t, "to nobody", err, bank.UnknownAccount)
	for n, c := range []bank.Cash{
		{ClientID: "c", AccountID: 100018, Currency: "USD", Amount: dec("50"), Kind: bank.Withdrawal},
		{ClientID: "d", AccountID: 100018, Currency: "USD", Amount: dec("150"), Kind: bank.CashJournal, TargetAccountID: 100019},
	} {
		next, err := move(c)
		if err != nil || next <= id {
			t.Errorf("%d: %d, %v", n, next, err)
		}
		id = next
	}
	rows, err := w.JournalRows(ctx, 100018, 0, 10)
	same(t, "journal", lines(t, rows, err, rowText), "0 -  USD deposit 0 250 0 250", "0 -  USD withdrawal 0 -50 0 -50", "0 -  USD journal 0 -150 0 -150")
	rows, err = w.JournalRows(ctx, 100019, 0, 10)
	same(t, "the other's journal", lines(t, rows, err, rowText), "0 -  USD journal 0 150 0 150")
}

// TestSymbols: one instrument stands for one symbol, whoever defined it, and however it is named.
func TestSymbols(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, second := w.replica(books.Config{})
	named := func(identifier, scheme, country string) bank.Trade {
		return w.trade(fmt.Sprintf(`"instrument":{"identifier":%q,"identifier_type":%q,"country":%q,"currency":"USD"}`, identifier, scheme, country))
	}
	_, err := w.client.Directory.CreateInstrument(t.Context(), connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: &bkv1.Instrument{
		Symbol: "Machines", Identifiers: []*bkv1.Identifier{
			{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: "IBM", Country: "USA", Currency: "USD"},
			{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_SEDOL, Value: "2005973"},
			{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: "2005973", Country: "ZZ", Currency: "XXX"},
		},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	trades := []bank.Trade{
		named("IBM", "ticker", "USA"), named("2005973", "sedol", "USA"), // two identifiers of one instrument are two symbols
		named("IBM", "cusip", "CAN"), named("IBM", "ticker", "CAN"), named("ibm", "ticker", "USA"),
	}
	ids := w.book(trades...)
	for i, id := range ids {
		if s := w.stored(id); !s.Trade.Same(&trades[i]) {
			t.Errorf("trade %d is %s", i, s.AppendJSON(nil))
		}
	}
	for _, l := range []*books.Ledger{w.Ledger, second} {
		rows, err := l.Positions(t.Context(), 100018, false, "", 10)
		same(t, "positions", lines(t, rows, err, positionText), "2005973 100 0", "IBM 300 0", "ibm 100 0")
		for symbol, want := range map[string]string{"IBM": "300", "2005973": "100", "ibm": "100"} {
			if p, err := l.Position(t.Context(), 100018, symbol, true); err != nil || p.Quantity.String() != want {
				t.Errorf("%s: %s, %v", symbol, p.Quantity, err)
			}
		}
	}
	// First used at the same time, under different names, on different replicas.
	var group sync.WaitGroup
	for n := range 12 {
		trade := named("NEW", []string{"ticker", "cusip", "isin"}[n%3], []string{"USA", "CAN"}[n%2])
		group.Go(func() {
			l := w.Ledger
			if n > 5 {
				l = second
			}
			if _, err := l.BookTrades(t.Context(), []bank.Trade{trade}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if p, err := w.Position(t.Context(), 100018, "NEW", false); err != nil || p.Quantity.String() != "1200" {
		t.Errorf("NEW: %s, %v", p.Quantity, err)
	}
}

// TestNative: what BK's own users book is shown in Bank's terms as far as there are any.
func TestNative(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.book(w.trade(""))
	usd := &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, Value: "USD"}
	other := &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_ISIN, Value: "US4592001014", Country: "USA", Currency: "USD"}
	if _, err := w.client.Directory.CreateInstrument(t.Context(), connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: &bkv1.Instrument{
		Symbol: "IBM", Identifiers: []*bkv1.Identifier{other}}})); err != nil {
		t.Fatal(err)
	}
	post := func(id *bkv1.Identifier, account int64, quantity string) *bkv1.NewPosting {
		return &bkv1.NewPosting{Account: &bkv1.AccountRef{Id: account}, Instrument: id, Quantity: quantity}
	}
	if _, err := w.client.Booking.BookEntry(t.Context(), connect.NewRequest(&bkv1.BookEntryRequest{Key: "own", Entry: &bkv1.NewEntry{Postings: []*bkv1.NewPosting{
		post(other, 100018, "3"), post(other, 100019, "-3"), post(usd, 100018, "-9"), post(usd, 100019, "9"),
	}}})); err != nil {
		t.Fatal(err)
	}
	rows, err := w.Positions(t.Context(), 100019, true, "", 10)
	if err != nil || len(rows) != 1 || !strings.HasPrefix(rows[0].Symbol, "IBM.") || rows[0].Quantity.String() != "-3" {
		t.Fatalf("positions %+v, %v", rows, err)
	}
	journal, err := w.JournalRows(t.Context(), 100019, 0, 10)
	same(t, "journal", lines(t, journal, err, rowText), "0 - "+rows[0].Symbol+"  posting -3 0 -3 0", "0 -  USD posting 0 9 0 9")
}
