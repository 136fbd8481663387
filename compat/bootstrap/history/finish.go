package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/ledger"
)

// lack is what the new books have not by quarantine.
type lack struct {
	holdings map[holdingKey][2]decimal.Decimal // by trade date, settled
	monies   map[moneyKey][3]decimal.Decimal   // settled, debits, credits
}

func newLack() lack {
	return lack{map[holdingKey][2]decimal.Decimal{}, map[moneyKey][3]decimal.Decimal{}}
}

func (l *lack) add(c Change) {
	if c.Symbol != "" {
		k := holdingKey{c.AccountID, c.Symbol}
		h := l.holdings[k]
		l.holdings[k] = [2]decimal.Decimal{h[0].Add(c.Amount.Decimal), h[1].Add(c.SettledAmount.Decimal)}
		return
	}
	k := moneyKey{c.AccountID, c.Currency}
	m := l.monies[k]
	m[0] = m[0].Add(c.SettledAmount.Decimal)
	if pending := c.Amount.Sub(c.SettledAmount.Decimal); pending.IsNegative() {
		m[1] = m[1].Sub(pending)
	} else {
		m[2] = m[2].Add(pending)
	}
	l.monies[k] = m
}

func compareChanges(a, b Change) int {
	return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Currency, b.Currency))
}

func isZero(ds ...decimal.Decimal) bool {
	return !slices.ContainsFunc(ds, func(d decimal.Decimal) bool { return !d.IsZero() })
}

// adjustment is an entry to be.
type adjustment struct {
	rule   Rule
	change Change
	table  source.Table
	key    string
	row    any
}

// positions holds Bank's positions against the books that were made: what is over or missing becomes an adjustment.
func (s *stage) positions(ctx context.Context) error {
	seen := map[holdingKey]bool{}
	compare := func(p source.Position) {
		k := holdingKey{p.AccountID, p.Symbol}
		seen[k] = true
		less, rule := s.lack.holdings[k], PositionOrphan
		traded, settled := p.Quantity.Sub(less[0]), p.SettledQuantity.Sub(less[1])
		if h := s.mirror.holdings[k]; h != nil {
			traded, settled, rule = traded.Sub(bankmap.Amount(h.traded).Decimal), settled.Sub(bankmap.Amount(h.settled).Decimal), PositionOff
		}
		if !isZero(traded, settled) {
			s.changes = append(s.changes, adjustment{
				rule, Change{AccountID: p.AccountID, Symbol: p.Symbol, Amount: bank.Decimal{Decimal: traded}, SettledAmount: bank.Decimal{Decimal: settled}},
				source.Positions, p.AccountID.String() + "/" + p.Symbol, p,
			})
		}
	}
	if err := each(ctx, s.in.Positions, func(p *source.Position) error { compare(*p); return nil }, s.unreadable); err != nil {
		return err
	}
	for k := range s.mirror.holdings {
		if !seen[k] {
			compare(source.Position{AccountID: k.account, Symbol: k.symbol})
		}
	}
	for k := range s.lack.holdings {
		if !seen[k] {
			compare(source.Position{AccountID: k.account, Symbol: k.symbol})
		}
	}
	return nil
}

// balances does the same with cash. Debits and credits are those of open trades, which no entry can make up for.
func (s *stage) balances(ctx context.Context) error {
	seen := map[moneyKey]bool{}
	compare := func(b source.Balance, there bool) error {
		k := moneyKey{b.AccountID, b.Currency}
		seen[k] = true
		less, lacks := s.lack.monies[k]
		rule, m := BalanceOff, s.mirror.monies[k]
		if m == nil {
			rule, m = BalanceOrphan, &money{}
			if there && !lacks && isZero(b.SettledCash.Decimal, b.UnsettledDebits.Decimal, b.UnsettledCredits.Decimal) {
				return s.quarantine(source.Balances, b.AccountID.String()+"/"+b.Currency, BalanceIdle, "currency: none of it ever moved, and BK shows no such row", b)
			}
		}
		settled := b.SettledCash.Sub(less[0]).Sub(bankmap.Amount(m.settled).Decimal)
		debits := b.UnsettledDebits.Sub(less[1]).Sub(bankmap.Amount(m.debits).Decimal)
		credits := b.UnsettledCredits.Sub(less[2]).Sub(bankmap.Amount(m.credits).Decimal)
		if !settled.IsZero() {
			amount := bank.Decimal{Decimal: settled}
			s.changes = append(s.changes, adjustment{
				rule, Change{AccountID: b.AccountID, Currency: b.Currency, Amount: amount, SettledAmount: amount}, source.Balances, b.AccountID.String() + "/" + b.Currency, b,
			})
		}
		if isZero(debits, credits) {
			return nil
		}
		return s.quarantine(source.Balances, b.AccountID.String()+"/"+b.Currency, BalancePending,
			fmt.Sprintf("unsettled_debits, unsettled_credits: they are %s and %s more than the open trades add up to", debits, credits), b,
			Change{AccountID: b.AccountID, Currency: b.Currency, Amount: bank.Decimal{Decimal: credits.Sub(debits)}})
	}
	var rows []source.Balance
	if err := each(ctx, s.in.Balances, func(b *source.Balance) error { rows = append(rows, *b); return nil }, s.unreadable); err != nil {
		return err
	}
	there := len(rows)
	known := map[moneyKey]bool{}
	for _, b := range rows {
		known[moneyKey{b.AccountID, b.Currency}] = true
	}
	add := func(k moneyKey) {
		if !known[k] {
			known[k] = true
			rows = append(rows, source.Balance{AccountID: k.account, Currency: k.currency})
		}
	}
	for k := range s.mirror.monies {
		add(k)
	}
	for k := range s.lack.monies {
		add(k)
	}
	order := func(a, b source.Balance) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Currency, b.Currency))
	}
	slices.SortFunc(rows[:there], order)
	slices.SortFunc(rows[there:], order)
	for i, b := range rows {
		if err := compare(b, i < there); err != nil {
			return err
		}
	}
	return nil
}

// adjust books the adjustments, each against a control account of its rule.
func (s *stage) adjust(context.Context) error {
	slices.SortFunc(s.changes, func(a, b adjustment) int {
		return cmp.Or(compareChanges(a.change, b.change), cmp.Compare(a.rule, b.rule))
	})
	for _, a := range s.changes {
		rej, err := s.bookAdjustment(a)
		if err != nil {
			return fmt.Errorf("%s %s: %w", a.table, a.key, err)
		}
		if rej == nil {
			continue
		}
		if err := s.quarantine(a.table, a.key, Refused, rej.Error(), a.row, a.change); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) bookAdjustment(a adjustment) (*ledger.Rejection, error) {
	c, instrument := a.change, bankmap.Currency(a.change.Currency)
	var rej *ledger.Rejection
	var err error
	if c.Symbol != "" { // of one without trades no more than the symbol is known
		own := bankmap.OwnIdentifiers(c.Symbol)[0]
		instrument, rej, err = s.symbol(bank.Instrument{Identifier: c.Symbol, IdentifierType: "ticker", Country: own.Country, Currency: own.Currency})
	} else {
		rej, err = s.currency(c.Currency)
	}
	if rej != nil || err != nil {
		return rej, err
	}
	if !s.accounts[c.AccountID] {
		return ledger.Reject(ledger.ReasonUnknownAccount, "account_id", "there is no account %d", c.AccountID), nil
	}
	memo := fmt.Sprintf("Bank's %s of %s is %s more than its trades and cash movements add up to, %s of it settled", a.table, a.key, c.Amount, c.SettledAmount)
	key := "bootstrap/" + string(a.rule) + "/" + a.key
	receipt, rej, err := s.post(c, instrument, "control:bootstrap:"+string(a.rule), key, map[string]string{"rule": string(a.rule), "memo": memo})
	if rej != nil || err != nil {
		return rej, err
	}
	s.fired(a.rule)
	s.report.Adjusted++
	if err := s.out.Adjust(Adjusted{a.rule, key, receipt.Entry, memo, c}); err != nil {
		return nil, fmt.Errorf("adjust: %w", err)
	}
	return nil, nil
}

// post books a change by itself against an account of the house, which it opens.
func (s *stage) post(c Change, instrument *bkv1.Identifier, against, key string, metadata map[string]string) (bulk.Receipt, *ledger.Rejection, error) {
	if _, err := s.to.OpenAccount(&bkv1.Account{Code: against, Name: against}, workSource, s.moment(0)); err != nil {
		return bulk.Receipt{}, nil, fmt.Errorf("open %s: %w", against, err)
	}
	entry := &bkv1.NewEntry{}
	for _, part := range []struct {
		bucket bkv1.Bucket
		amount decimal.Decimal
	}{{bkv1.Bucket_BUCKET_SETTLED, c.SettledAmount.Decimal}, {bkv1.Bucket_BUCKET_UNSETTLED, c.Amount.Sub(c.SettledAmount.Decimal)}} {
		if part.amount.IsZero() {
			continue
		}
		quantity := bank.Decimal{Decimal: part.amount}
		less := bank.Decimal{Decimal: part.amount.Neg()}
		entry.Postings = append(entry.Postings,
			&bkv1.NewPosting{Account: bankmap.AccountRef(c.AccountID), Instrument: instrument, Bucket: part.bucket, Quantity: quantity.String()},
			&bkv1.NewPosting{Account: &bkv1.AccountRef{Code: against}, Instrument: instrument, Bucket: part.bucket, Quantity: less.String()})
	}
	return s.book(&bkv1.Command{Key: key, Source: workSource, Metadata: metadata, Command: &bkv1.Command_Entry{Entry: entry}}, 0)
}
