package legacy

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// cashRow is a row of the table.
type cashRow struct {
	id bank.ID
	bank.Cash
}

const sqlCash = `SELECT cash_id, client_id, account_id, coalesce(target_account_id, 0), currency, amount, kind FROM bank.cash`

func scanCash(row pgx.CollectableRow) (c cashRow, err error) {
	err = row.Scan(&c.id, &c.ClientID, &c.AccountID, &c.TargetAccountID, &c.Currency, &c.Amount, &c.Kind)
	return c, err
}

// sameCash tells whether two cash movements ask for the same.
func sameCash(a, b *bank.Cash) bool {
	return a.ClientID == b.ClientID && a.AccountID == b.AccountID && a.TargetAccountID == b.TargetAccountID && a.Currency == b.Currency && a.Kind == b.Kind &&
		a.Amount.Equal(b.Amount.Decimal)
}

// MoveCash implements front.Ledger.
func (b *Bank) MoveCash(ctx context.Context, c bank.Cash) (bank.ID, error) {
	return b.moveCash(ctx, c, 0, 0)
}

// moveCash moves it under a new id and now, or as another system has decided.
func (b *Bank) moveCash(ctx context.Context, c bank.Cash, id bank.ID, at int64) (booked bank.ID, err error) {
	var known []cashRow
	var next bank.ID
	err = b.transact(ctx, func(context.Context, *pgx.Conn) (*scope, error) {
		known, next = nil, id
		s := newScope()
		s.accounts[c.AccountID] = true
		s.monies[moneyKey{c.AccountID, c.Currency}] = true
		if c.Kind == bank.CashJournal {
			s.accounts[c.TargetAccountID] = true
			s.monies[moneyKey{c.TargetAccountID, c.Currency}] = true
		}
		s.more = func(batch *pgx.Batch) {
			batch.Queue(sqlCash+` WHERE client_id = $1 OR cash_id = $2`, c.ClientID, int64(id)).Query(func(found pgx.Rows) (err error) {
				known, err = pgx.CollectRows(found, scanCash)
				return err
			})
			if id == 0 {
				batch.Queue(`SELECT nextval('bank.cash_id')`).QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
			}
		}
		return s, nil
	}, func(h *held) error {
		if len(known) > 0 { // two if client id and id are those of two others: each of them is a conflict
			k := known[0]
			if !sameCash(&k.Cash, &c) || id != 0 && k.id != id {
				return bank.OtherCash(c.ClientID)
			}
			booked = k.id
			return nil
		}
		for _, account := range []bank.ID{c.AccountID, c.TargetAccountID} {
			if account != 0 && !h.accounts[account] {
				return bank.NoAccount(account)
			}
		}
		if at == 0 {
			at = h.now
		}
		booked = next
		h.to.cash(cashRow{booked, c}, at)
		h.move(booked, &c)
		return nil
	})
	return booked, err
}

// move does what a cash movement does: the giving side of a journal first.
func (w *work) move(id bank.ID, c *bank.Cash) {
	amount := c.Amount.Decimal
	switch c.Kind {
	case bank.Deposit:
		w.moveIn(id, c, c.AccountID, amount)
	case bank.Withdrawal:
		w.moveIn(id, c, c.AccountID, amount.Neg())
	case bank.CashJournal:
		w.moveIn(id, c, c.AccountID, amount.Neg())
		w.moveIn(id, c, c.TargetAccountID, amount)
	}
}

func (w *work) moveIn(id bank.ID, c *bank.Cash, account bank.ID, amount decimal.Decimal) {
	k := moneyKey{account, c.Currency}
	m := w.monies[k]
	m.settled = m.settled.Add(amount)
	w.to.journal(journalRow{account: account, date: w.date, cash: id, currency: c.Currency, memo: c.Kind, tdAmount: amount, sdAmount: amount})
	w.to.money(k, m)
	w.cashEvent(id, c, account, amount, m)
}
