package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// Positions gives a page of an account's positions, see [front.Ledger].
func (b *Ledger) Positions(ctx context.Context, account bank.ID, settled bool, after string, limit int) ([]bank.Position, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	all, err := b.positions(ctx, account)
	if err != nil {
		return nil, b.internal(ctx, "read positions", err)
	}
	all = slices.DeleteFunc(all, func(p bank.Position) bool { return !shown(p, settled) || p.Symbol <= after })
	slices.SortFunc(all, func(p, q bank.Position) int { return cmp.Compare(p.Symbol, q.Symbol) })
	return all[:min(len(all), limit)], nil
}

// shown reports whether a list has the position.
func shown(p bank.Position, settled bool) bool {
	return !p.Quantity.IsZero() || settled && !p.SettledQuantity.IsZero()
}

// positions gives all of an account's positions that are not zero, in no order.
func (b *Ledger) positions(ctx context.Context, account bank.ID) ([]bank.Position, error) {
	size := int32(pageRows)
	question := &bkv1.ListBalancesRequest{
		Account: bankmap.AccountRef(account), InstrumentKind: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY, NonZero: true, PageSize: &size, AtLeast: atHead,
	}
	var all []bank.Position
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListBalances, question)
		if err != nil {
			return nil, err
		}
		for _, row := range answer.Balances {
			symbol, _, err := b.symbols.name(ctx, row.Instrument)
			if err != nil {
				return nil, err
			}
			p, err := bankmap.Holding(account, symbol, row.TradeDate, row.Settled)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return all, nil
		}
	}
}

// Position gives an account's position in a symbol, see [front.Ledger].
func (b *Ledger) Position(ctx context.Context, account bank.ID, symbol string, settled bool) (bank.Position, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return bank.Position{}, err
	}
	p, err := b.position(ctx, account, symbol)
	if err != nil {
		return bank.Position{}, b.internal(ctx, "read a position", err)
	}
	if !shown(p, settled) {
		return bank.Position{}, bank.Errorf(bank.PositionNotFound, "account %d has no position in %q", account, symbol)
	}
	return p, nil
}

// position sums up an account's position in a symbol over the currencies that it was traded in.
func (b *Ledger) position(ctx context.Context, account bank.ID, symbol string) (bank.Position, error) {
	sum := bank.Position{AccountID: account, Symbol: symbol, SettledQuantity: new(bank.Decimal)}
	id, err := b.symbols.find(ctx, symbol)
	if err != nil || id == nil {
		return sum, err
	}
	size := int32(pageRows)
	question := &bkv1.ListPositionsRequest{Account: bankmap.AccountRef(account), Instrument: id, PageSize: &size, AtLeast: atHead}
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListPositions, question)
		if err != nil {
			return sum, err
		}
		for _, row := range answer.Positions {
			p, err := bankmap.Holding(account, symbol, row.TradeDate, row.Settled)
			if err != nil {
				return sum, err
			}
			sum.Quantity.Decimal = sum.Quantity.Add(p.Quantity.Decimal)
			sum.SettledQuantity.Decimal = sum.SettledQuantity.Add(p.SettledQuantity.Decimal)
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return sum, nil
		}
	}
}

// Balances gives an account's cash, see [front.Ledger].
func (b *Ledger) Balances(ctx context.Context, account bank.ID) ([]bank.Balance, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	all, err := b.balances(ctx, account)
	if err != nil {
		return nil, b.internal(ctx, "read balances", err)
	}
	slices.SortFunc(all, func(p, q bank.Balance) int { return cmp.Compare(p.Currency, q.Currency) })
	return all, nil
}

func (b *Ledger) balances(ctx context.Context, account bank.ID) ([]bank.Balance, error) {
	size := int32(pageRows)
	question := &bkv1.ListCashRequest{Account: bankmap.AccountRef(account), PageSize: &size, AtLeast: atHead}
	var all []bank.Balance
	there := []string{} // currencies
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListCash, question)
		if err != nil {
			return nil, err
		}
		for _, row := range answer.Cash {
			balance, err := bankmap.Balance(row)
			if err != nil {
				return nil, err
			}
			all, there = append(all, balance), append(there, balance.Currency)
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			break
		}
	}
	free, err := b.freeCurrencies(ctx, account, there)
	for _, currency := range free {
		all = append(all, bank.Balance{Currency: currency})
	}
	return all, err
}

const (
	freeWait  = time.Second // for the façade's database, in a read
	freePages = 100         // of trades that are read in its place, at most
)

// candidate is a trade that may have brought its account no cash.
type candidate struct {
	currency, key string
	opened        bool
}

// candidates gives an account's, in currencies other than those given.
func (b *Ledger) candidates(ctx context.Context, account bank.ID, others []string) ([]candidate, error) {
	ctx, cancel := context.WithTimeout(ctx, freeWait)
	defer cancel()
	rows, err := b.pool.Query(ctx, `SELECT currency, trade_key, opened FROM facade.books_free WHERE account_id = $1 AND currency <> ALL ($2)
		ORDER BY opened DESC, currency, trade_key`, int64(account), others)
	if err != nil {
		return nil, fmt.Errorf("find trades that bring no cash: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
		return c, row.Scan(&c.currency, &c.key, &c.opened)
	})
	if err != nil {
		return nil, fmt.Errorf("find trades that bring no cash: %w", err)
	}
	return found, nil
}

// freeCurrencies gives the currencies other than those given that the account shows although it never had any of them: a trade opened that brought it
// none.
func (b *Ledger) freeCurrencies(ctx context.Context, account bank.ID, others []string) (free []string, err error) {
	candidates, err := b.candidates(ctx, account, others)
	if err != nil && ctx.Err() == nil {
		b.cfg.Log.WarnContext(ctx, "the façade's database does not answer; all trades of an account are read for its balances", "account", account, "error", err)
		return b.freeByTrades(ctx, account, others)
	}
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		if slices.Contains(free, c.currency) {
			continue
		}
		if !c.opened {
			if c.opened, err = b.opened(ctx, c.key); err != nil {
				return nil, err
			}
			if !c.opened {
				continue
			}
			b.keepOpened(ctx, account, c)
		}
		b.free.put(b.free.now(), freeKey{account, c.currency}, true)
		free = append(free, c.currency)
	}
	return free, nil
}

// keepOpened spares others the question. It may fail.
func (b *Ledger) keepOpened(ctx context.Context, account bank.ID, c candidate) {
	ctx, cancel := context.WithTimeout(ctx, freeWait)
	defer cancel()
	_, err := b.pool.Exec(ctx, `UPDATE facade.books_free SET opened = true WHERE account_id = $1 AND currency = $2 AND trade_key = $3`, int64(account), c.currency, c.key)
	if err != nil {
		b.cfg.Log.WarnContext(ctx, "it can't be kept that a trade opened; BK is asked again", "account", account, "error", err)
	}
}

// freeByTrades is freeCurrencies without the façade's database: it reads all trades of the account. An account with too many gets an error.
func (b *Ledger) freeByTrades(ctx context.Context, account bank.ID, others []string) (free []string, err error) {
	size := int32(pageRows)
	question := &bkv1.ListTradesRequest{Account: bankmap.AccountRef(account), PageSize: &size, AtLeast: atHead}
	for range freePages {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListTrades, question)
		if err != nil {
			return nil, err
		}
		for _, t := range answer.Trades {
			if t.OpenedBy != 0 && !slices.Contains(others, t.Currency) && !slices.Contains(free, t.Currency) {
				free = append(free, t.Currency)
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return free, nil
		}
	}
	return nil, fmt.Errorf("account %d has more than %d trades, and the façade's database does not answer", account, freePages*pageRows)
}

// opened reports whether a trade was ever in force.
func (b *Ledger) opened(ctx context.Context, key string) (bool, error) {
	answer, err := read(ctx, b, b.cfg.Client.Query.GetTrade, &bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: key}, AtLeast: atHead})
	if client.Reason(err) == bankmap.ReasonTradeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(answer.Entries, bankmap.Opens), nil
}
