package queue

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// What was created at Bank while BK was not following is opened at BK when a row needs it; all else when a step says so. Only what Bank doesn't know is blocked.
func TestDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	q, _ := w.run(w.config("a"))
	var errs error
	for id := bank.ID(2); id <= 4; id++ {
		_, err := w.bank.CreateEntity(ctx, bank.Entity{EntityID: id, ClientCode: "C", LegalName: "L"})
		errs = errors.Join(errs, err)
	}
	for account, entity := range map[bank.ID]bank.ID{50: 2, 51: 2, 52: 1, 60: 4} {
		_, err := w.bank.CreateAccount(ctx, bank.NewAccount{AccountID: account, EntityID: entity, Name: "N"})
		errs = errors.Join(errs, err)
	}
	_, err := book(ctx, q, w.bank, []bank.Trade{trade(1, "a"), trade(50, "b")})
	errs = errors.Join(errs, err)
	_, err = book(ctx, q, w.bank, []bank.Trade{transfer(50, 51, "c")})
	errs = errors.Join(errs, err, cash(ctx, q, w.bank, bank.Cash{ClientID: "d", AccountID: 52, Currency: "USD", Amount: amount("5"), Kind: bank.Deposit}))
	account := bank.NewAccount{AccountID: 53, EntityID: 3, Name: "N"}
	h, err := q.Begin(ctx, 1, Account(account))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.bank.CreateAccount(ctx, account)
	if errs = errors.Join(errs, err, h.Accepted(ctx, Answer{})); errs != nil {
		t.Fatal(errs)
	}
	w.drained(q)
	for id := bank.ID(50); id <= 53; id++ {
		a, err := w.bank.Account(ctx, id)
		b, err2 := w.bk.Account(ctx, id)
		if err := errors.Join(err, err2); err != nil || a != b {
			t.Errorf("Bank has %+v, BK %+v (%v)", a, b, err)
		}
	}
	w.same()
	if _, err := w.bk.Account(ctx, 60); bank.TypeOf(err) != bank.AccountNotFound {
		t.Errorf("nobody needs account 60: %v", err)
	}

	// A row whose account neither has, in a batch with others.
	if h, err = q.Begin(ctx, 1, Trades([]bank.Trade{trade(999, "x")})); err == nil {
		err = h.Accepted(ctx, Answer{Trades: []bank.Booked{{ClientTradeID: "x", TradeID: 1_000_000}}, BookedAt: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book(ctx, q, w.bank, []bank.Trade{trade(1, "y")}); err != nil {
		t.Fatal(err)
	}
	if err := pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error { return q.Directory(ctx, tx, 2) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "account 60 is opened", func() bool {
		_, err := w.bk.Account(ctx, 60)
		return err == nil
	})
	eventually(t, "the others go on", func() bool {
		_, err := w.bk.Trade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "y"})
		return err == nil
	})
	var blocked []string
	eventually(t, "the one is blocked", func() bool {
		rows, err := q.Rows().List(ctx, 0, 10, true)
		if err != nil {
			t.Fatal(err)
		}
		blocked = nil
		for _, row := range rows {
			blocked = append(blocked, row.Reason)
		}
		return len(blocked) == 1
	})
	if len(blocked) == 1 && !strings.Contains(blocked[0], "999") {
		t.Errorf("blocked with: %s", blocked[0])
	}
}
