package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// API reads Bank through its API while it is quiesced: nobody writes from [Quiesced] until all is read, which [API.Alive] looks after. It has what the API gives: no running positions, no
// client ids of cash movements, no uploads.
type API struct {
	client   *bank.Client
	place    Place
	accounts []bank.ID
}

const apiPage = 1000

// Quiesced begins to read. The client needs Bank's operations listener. [ErrBusy] if Bank has not even sent its last events.
func Quiesced(ctx context.Context, client *bank.Client) (*API, error) {
	a := &API{client: client}
	var err error
	if a.place, err = a.now(ctx); err != nil {
		return nil, err
	}
	err = pages(func(page bank.Page) (bank.List[bank.Account], error) { return client.Accounts(ctx, page) }, func(account bank.Account) error {
		a.accounts = append(a.accounts, account.AccountID)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list Bank's accounts: %w", err)
	}
	return a, nil
}

func (a *API) now(ctx context.Context) (p Place, err error) {
	at, err := a.client.ReplayPlace(ctx)
	if err != nil {
		return p, fmt.Errorf("ask Bank how far it is: %w", err)
	}
	if p.BusinessDate, err = a.client.BusinessDate(ctx); err != nil {
		return p, fmt.Errorf("ask Bank for its business date: %w", err)
	}
	p.EventID, p.LastTradeID, p.LastCashID = int64(at.LastEventID), int64(at.LastTradeID), int64(at.LastCashID)
	p.TakenAt, p.Source = time.Now().UTC(), "api"
	return p, nil
}

// Place gives where Bank stood when reading began.
func (a *API) Place() Place { return a.place }

// Alive tells whether Bank has stood still since: an error is [ErrGone].
func (a *API) Alive(ctx context.Context) error {
	now, err := a.now(ctx)
	if err != nil {
		return err
	}
	now.TakenAt = a.place.TakenAt
	if now.EventID != a.place.EventID || now.BusinessDate != a.place.BusinessDate || now.LastTradeID != a.place.LastTradeID || now.LastCashID != a.place.LastCashID {
		return fmt.Errorf("%w: Bank was to be quiesced, but went from %s to %s", ErrGone, a.place, now)
	}
	return nil
}

// Close implements the source.
func (a *API) Close() {}

// Ranges gives the chunks of a table: trades by id, all that belongs to an account by accounts.
func (a *API) Ranges(ctx context.Context, t Table, size int64, _ func(context.Context) error) ([]Range, error) {
	var ranges []Range
	switch t {
	case Uploads, UploadErrors, UploadGivenUp:
		return nil, nil
	case Entities, Accounts:
		return []Range{{Table: t}}, nil
	case Trades:
		for from := int64(1); from <= a.place.LastTradeID; from += size {
			ranges = append(ranges, Range{Table: t, From: from, Below: from + size})
		}
		return ranges, nil
	}
	const accounts = 100
	for i := 0; i < len(a.accounts); i += accounts {
		r := Range{Table: t, From: int64(a.accounts[i])}
		if i+accounts < len(a.accounts) {
			r.Below = int64(a.accounts[i+accounts])
		}
		ranges = append(ranges, r)
	}
	return ranges, ctx.Err()
}

// pages walks over a list.
func pages[T any](list func(bank.Page) (bank.List[T], error), each func(T) error) error {
	page := bank.Page{Size: apiPage}
	for {
		got, err := list(page)
		if err != nil {
			return err
		}
		for _, one := range got.Data {
			if err := each(one); err != nil {
				return err
			}
		}
		if page.Token = got.Next; page.Token == "" {
			return nil
		}
	}
}

// Read writes what a range has, as Database's Read does.
func (a *API) Read(ctx context.Context, r Range, to io.Writer) (rows int64, err error) {
	put := func(values ...any) error {
		rows++
		_, err := to.Write(AppendCSV(nil, spell(values)...))
		return err
	}
	switch r.Table {
	case Entities:
		err = pages(func(p bank.Page) (bank.List[bank.Entity], error) { return a.client.Entities(ctx, p) }, func(e bank.Entity) error {
			return put(e.EntityID, e.ClientCode, e.LegalName)
		})
	case Accounts:
		err = pages(func(p bank.Page) (bank.List[bank.Account], error) { return a.client.Accounts(ctx, p) }, func(c bank.Account) error {
			return put(c.AccountID, c.EntityID, c.Name)
		})
	case Trades:
		err = a.trades(ctx, r, put)
	default:
		for _, account := range a.accounts {
			if int64(account) < r.From || r.Below > 0 && int64(account) >= r.Below {
				continue
			}
			if err = a.of(ctx, r.Table, account, put); err != nil {
				break
			}
		}
	}
	if err != nil {
		return rows, fmt.Errorf("read %s through Bank's API: %w", r, err)
	}
	return rows, nil
}

func (a *API) trades(ctx context.Context, r Range, put func(...any) error) error {
	for id := r.From; id < r.Below && id <= a.place.LastTradeID; id++ {
		t, err := a.client.Trade(ctx, bank.TradeRef{TradeID: bank.ID(id)})
		if refused := (*bank.Error)(nil); errors.As(err, &refused) && refused.Type == bank.TradeNotFound {
			continue // an id that was left out
		}
		if err != nil {
			return err
		}
		var target *bank.ID
		if t.TargetAccountID != 0 {
			target = &t.TargetAccountID
		}
		err = put(t.TradeID, t.AccountID, t.ClientTradeID, target, t.Date, t.SettleDate, t.State, t.Instrument.Identifier, t.Settlement.Currency, t.Side.Direction == bank.Sell,
			t.Quantity, t.Price, t.GrossAmount, t.SECFee, t.TAFFee, t.NetAmount, (*bank.Decimal)(nil), (*bank.Decimal)(nil), t.BookedAt, t.CanceledAt, t.ReplacedBy, t.Replaces,
			string(t.Trade.AppendJSON(nil)))
		if err != nil {
			return err
		}
	}
	return nil
}

// of writes what an account has of a table.
func (a *API) of(ctx context.Context, t Table, account bank.ID, put func(...any) error) error {
	switch t {
	case Positions:
		return pages(func(p bank.Page) (bank.List[bank.Position], error) { return a.client.Positions(ctx, account, true, p) }, func(h bank.Position) error {
			var settled bank.Decimal
			if h.SettledQuantity != nil {
				settled = *h.SettledQuantity
			}
			return put(account, h.Symbol, h.Quantity, settled)
		})
	case Balances:
		all, err := a.client.Balances(ctx, account)
		for _, b := range all {
			if err == nil {
				err = put(account, b.Currency, b.SettledCash, b.UnsettledDebits, b.UnsettledCredits)
			}
		}
		return err
	}
	return pages(func(p bank.Page) (bank.List[bank.JournalRow], error) { return a.client.Journal(ctx, account, p) }, func(j bank.JournalRow) error {
		cash := -j.JournalID
		if t == Journal {
			if j.TradeID != nil {
				return put(j.JournalID, account, j.Date, j.TradeID, (*bank.ID)(nil), j.Symbol, j.Currency, j.Memo, j.TDQuantity, j.TDAmount, j.SDQuantity, j.SDAmount)
			}
			return put(j.JournalID, account, j.Date, (*bank.ID)(nil), &cash, j.Symbol, j.Currency, j.Memo, j.TDQuantity, j.TDAmount, j.SDQuantity, j.SDAmount)
		}
		if j.TradeID != nil {
			return nil
		}
		amount, kind := j.TDAmount, bank.Deposit
		if amount.IsNegative() {
			amount, kind = bank.Decimal{Decimal: amount.Neg()}, bank.Withdrawal
		}
		return put(cash, "", account, (*bank.ID)(nil), j.Currency, amount, kind, int64(0))
	})
}

// spell gives values as Postgres spells them.
func spell(values []any) []*string {
	out := make([]*string, len(values))
	for i, value := range values {
		var text string
		switch v := value.(type) {
		case *bank.ID:
			if v == nil {
				continue
			}
			text = v.String()
		case *int64:
			if v == nil {
				continue
			}
			text = strconv.FormatInt(*v, 10)
		case *bank.Decimal:
			if v == nil {
				continue
			}
			text = v.String()
		case bool:
			text = strconv.FormatBool(v)
		case int64:
			text = strconv.FormatInt(v, 10)
		default:
			text = fmt.Sprint(value)
		}
		out[i] = &text
	}
	return out
}
