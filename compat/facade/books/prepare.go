package books

import (
	"context"
	"fmt"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/script"
)

// prepare makes the commands that book trades. What they need is there afterwards: instruments, currencies, texts that are too long for BK.
func (b *Ledger) prepare(ctx context.Context, trades []bank.Trade) ([]*bkv1.Command, error) {
	commands, extras := make([]*bkv1.Command, len(trades)), make([]string, len(trades))
	for i := range trades {
		t := &trades[i]
		instrument, ok := b.symbols.identifier(t.Instrument.Identifier)
		if !ok {
			var err error
			if instrument, err = b.symbols.ensure(ctx, t.Instrument); err != nil {
				return nil, err
			}
		}
		if err := b.symbols.ensureCurrency(ctx, t.Settlement.Currency); err != nil {
			return nil, err
		}
		var err error
		if commands[i], extras[i], err = bankmap.FromTrade(t, instrument); err != nil {
			return nil, err
		}
		commands[i].Source = b.cfg.Source
	}
	if err := b.keepTexts(ctx, script.PutExtras(commands, extras)); err != nil {
		return nil, err
	}
	for i := range trades {
		if trades[i].CancelTradeID == "" {
			continue
		}
		linked, err := b.replacesArchived(ctx, trades, i, commands[i].Key)
		if err != nil {
			return nil, err
		}
		if linked {
			continue
		}
		replaced, err := b.replaced(ctx, &trades[i])
		if err != nil {
			return nil, err
		}
		bankmap.Replacing(commands[i], &trades[i], replaced)
	}
	return commands, b.keepFree(ctx, trades, commands)
}

// replaced gives BK's id of the trade that another names by Bank's id as the one that it replaces; 0 where that is no id, or none of this account's. (BK
// looks for a trade of the client's id first.)
func (b *Ledger) replaced(ctx context.Context, t *bank.Trade) (int64, error) {
	id, err := bank.ParseID(t.CancelTradeID)
	if err != nil || id == 0 {
		return 0, nil
	}
	booked, err := b.byBankID(ctx, id)
	if err != nil || booked == nil || booked.trade.AccountID != t.AccountID {
		return 0, err
	}
	return booked.bk, nil
}

type freeKey struct {
	account  bank.ID
	currency string
}

// keepFree remembers the trades that may bring one of their accounts no cash at all.
func (b *Ledger) keepFree(ctx context.Context, trades []bank.Trade, commands []*bkv1.Command) error {
	var accounts []int64
	var currencies, keys []string
	for i := range trades {
		t := &trades[i]
		for _, account := range script.Free(t) {
			if _, known := b.free.get(freeKey{account, t.Settlement.Currency}); known {
				continue
			}
			accounts = append(accounts, int64(account))
			currencies, keys = append(currencies, t.Settlement.Currency), append(keys, commands[i].Key)
		}
	}
	if len(accounts) == 0 {
		return nil
	}
	_, err := b.pool.Exec(ctx, `INSERT INTO facade.books_free (account_id, currency, trade_key)
		SELECT a, c, k FROM unnest($1::bigint[], $2::text[], $3::text[]) AS g (a, c, k)
		WHERE NOT EXISTS (SELECT FROM facade.books_free f WHERE f.account_id = g.a AND f.currency = g.c AND f.opened)
		ON CONFLICT DO NOTHING`, accounts, currencies, keys)
	if err != nil {
		return fmt.Errorf("keep trades that bring no cash: %w", err)
	}
	return nil
}
