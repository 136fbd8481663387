package books

import (
	"context"
	"fmt"
	"math"

	"github.com/shopspring/decimal"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// Where the extras of a call are more than extrasTogether bytes, only those of at most extrasEach go into BK's request, which has a limit of 8 MiB.
const (
	extrasTogether = 3 << 20
	extrasEach     = 1 << 10
)

// prepare makes the commands that book trades. What they need is there afterwards: instruments, currencies, texts that are too long for BK.
func (b *Ledger) prepare(ctx context.Context, trades []bank.Trade) ([]*bkv1.Command, error) {
	commands, extras := make([]*bkv1.Command, len(trades)), make([]string, len(trades))
	together := 0
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
		together += len(extras[i])
	}
	if err := b.putExtras(ctx, commands, extras, together); err != nil {
		return nil, err
	}
	for i := range trades {
		if trades[i].CancelTradeID == "" {
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

// putExtras puts what BK's trades have no field for into the metadata, or the hash of it.
func (b *Ledger) putExtras(ctx context.Context, commands []*bkv1.Command, extras []string, together int) error {
	most := bankmap.MaxInline
	if together > extrasTogether {
		most = extrasEach
	}
	var elsewhere []string
	for i, text := range extras {
		if text == "" {
			continue
		}
		if !bankmap.Inline(text, most) {
			elsewhere = append(elsewhere, text)
			text = bankmap.Hashed(text)
		}
		commands[i].Metadata = map[string]string{bankmap.MetadataKey: text}
	}
	return b.keepTexts(ctx, elsewhere)
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
		if surelyPaid(t) {
			continue
		}
		own, target := mayBeFree(t)
		for _, party := range [...]struct {
			account bank.ID
			free    bool
		}{{t.AccountID, own}, {t.TargetAccountID, target}} {
			if !party.free {
				continue
			}
			if _, known := b.free.get(freeKey{party.account, t.Settlement.Currency}); known {
				continue
			}
			accounts = append(accounts, int64(party.account))
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

var (
	mostFees    = decimal.NewFromInt(10) // TAF is capped below
	mostFeeRate = decimal.New(1, -4)     // SEC's fee is below
)

// surelyPaid reports whether a trade's gross amount is so much above its commission and all fees that there is no need to work them out, as nearly always. Fifteen
// digits will do for that.
func surelyPaid(t *bank.Trade) bool {
	const digits = 18 // that a word holds
	if t.Interest != nil || t.Quantity.NumDigits() > digits || t.Price.NumDigits() > digits || t.Fees.Commission.NumDigits() > digits {
		return false
	}
	about := func(d bank.Decimal) float64 { return float64(d.CoefficientInt64()) * math.Pow10(int(d.Exponent())) }
	return about(t.Quantity)*about(t.Price)*0.99 > math.Abs(about(t.Fees.Commission))+20
}

// mayBeFree reports for either account of a trade whether its cash may be zero. Only BK knows the fees of a sale.
func mayBeFree(t *bank.Trade) (own, target bool) {
	gross := t.Quantity.Mul(t.Price.Decimal)
	moved := gross
	if t.Interest != nil {
		moved = moved.Add(t.Interest.Accrued.Decimal)
	}
	target = t.TargetAccountID != 0 && moved.IsZero()
	if t.Side.Direction == bank.Buy {
		return moved.Add(t.Fees.Commission.Decimal).IsZero(), target
	}
	left := moved.Sub(t.Fees.Commission.Decimal)
	if left.IsZero() {
		return true, target
	}
	if bank.TwoAccounts(t.Type) || left.IsNegative() {
		return false, target
	}
	return left.Cmp(gross.Mul(mostFeeRate).Add(mostFees)) <= 0, target
}
