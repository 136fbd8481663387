package shadow

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/bkledger/bk/compat/bank"
)

// look reads something, and checks what has to hold in it whatever is booked meanwhile.
func (p *player) look(ctx context.Context) error {
	account := p.anyAccount()
	switch p.IntN(9) {
	case 0, 1:
		if s, ok := p.choose(p.dice); ok {
			return p.readBack(ctx, s)
		}
		return p.lookDate(ctx)
	case 2:
		return p.lookDate(ctx)
	case 3:
		return p.lookBalances(ctx, account)
	case 4:
		return lookPages(ctx, p, "positions", account, url.Values{"view": {"full"}}, func(last, next bank.Position) bool { return last.Symbol < next.Symbol })
	case 5:
		return lookPages(ctx, p, "journal", account, nil, func(last, next bank.JournalRow) bool { return last.JournalID < next.JournalID })
	case 6:
		if s, ok := p.choose(p.dice); ok {
			r := get("/accounts/%d/trades/%d", s.account, s.id)
			a, token, err := p.expect(ctx, "read a trade of an account", r, "200")
			var row bank.AccountTrade
			if err == nil && token != "" && (json.Unmarshal(a.body, &row) != nil || row.TradeID != s.id || row.AccountID != s.account) {
				p.surprise("%s: %s", r, a.short())
			}
			return err
		}
	}
	query := url.Values{}
	if p.percent(50) {
		query.Set("date", p.tradeDate(p.today()).String())
	}
	if p.percent(30) {
		query.Set("state", pick(p.dice, bank.StateNew, bank.StateOpen, bank.StateSettled, bank.StateCanceled))
	}
	return lookPages(ctx, p, "trades", account, query, func(last, next bank.AccountTrade) bool { return last.TradeID < next.TradeID })
}

func (p *player) lookDate(ctx context.Context) error {
	p.mu.Lock()
	before := p.day
	p.mu.Unlock()
	r := get("/business-date")
	a, token, err := p.expect(ctx, "read the business date", r, "200")
	if err != nil || token == "" {
		return err
	}
	var dated bank.Dated
	if err := json.Unmarshal(a.body, &dated); err != nil || dated.Date < before {
		p.surprise("%s: %s, after %d", r, a.short(), before)
	}
	return nil
}

// lookBalances checks that what is traded is what is settled and what is still to come.
func (p *player) lookBalances(ctx context.Context, account bank.ID) error {
	r := get("/accounts/%d/balances", account)
	a, token, err := p.expect(ctx, "read balances", r, "200")
	if err != nil || token == "" {
		return err
	}
	var list bank.List[bank.Balance]
	if err := json.Unmarshal(a.body, &list); err != nil {
		p.surprise("%s: %v: %s", r, err, a.short())
		return nil
	}
	last := ""
	for _, b := range list.Data {
		sum := b.SettledCash.Add(b.UnsettledCredits.Decimal).Sub(b.UnsettledDebits.Decimal)
		if b.Currency <= last || !b.TradeCash.Equal(sum) || b.UnsettledCredits.Sign() < 0 || b.UnsettledDebits.Sign() < 0 {
			p.surprise("%s: %s does not add up, or is not in order: %s", r, b.Currency, a.short())
		}
		last = b.Currency
	}
	return nil
}

// lookPages walks along up to three pages of a list, in order.
func lookPages[T any](ctx context.Context, p *player, list string, account bank.ID, query url.Values, ascending func(last, next T) bool) error {
	if query == nil {
		query = url.Values{}
	}
	size := pick(p.dice, 1, 7, 100, 1000)
	query.Set("page_size", strconv.Itoa(size))
	var last *T
	for range 3 {
		r := get("/accounts/%d/%s?%s", account, list, query.Encode())
		a, token, err := p.expect(ctx, "read "+list, r, "200")
		if err != nil || token == "" {
			return err
		}
		var page bank.List[T]
		if err := json.Unmarshal(a.body, &page); err != nil || len(page.Data) > size || page.Next != "" && len(page.Data) != size {
			p.surprise("%s: %d rows, next page %q: %s", r, len(page.Data), page.Next, a.short())
			return nil
		}
		for i := range page.Data {
			if last != nil && !ascending(*last, page.Data[i]) {
				p.surprise("%s: not in order: %+v, then %+v", r, *last, page.Data[i])
				return nil
			}
			last = &page.Data[i]
		}
		if page.Next == "" {
			return nil
		}
		query.Set("page_token", page.Next)
	}
	return nil
}
