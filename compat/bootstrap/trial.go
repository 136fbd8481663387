package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/idle"
)

// Off is an account's holding that is not in BK as Bank had it, quarantine taken off.
type Off struct {
	AccountID bank.ID `json:"account_id"`
	Symbol    string  `json:"symbol,omitempty"`
	Currency  string  `json:"currency,omitempty"`
	Bank      string  `json:"bank"` // by trade date, settled
	BK        string  `json:"bk"`
}

// Trial is the trial balance at the place of the snapshot.
type Trial struct {
	Accounts int64 `json:"accounts"`
	Holdings int64 `json:"holdings"` // positions and balances that are not zero
	Off      []Off `json:"off,omitempty"`
	// Instruments is how many there are in BK's journal; those of which the sum of all postings is not 0 are Unbalanced.
	Instruments int     `json:"instruments"`
	Unbalanced  []int64 `json:"unbalanced,omitempty"`
}

// amounts are of a holding: by trade date, and what of it is settled.
type amounts struct{ traded, settled decimal.Decimal }

func (a amounts) zero() bool { return a.traded.IsZero() && a.settled.IsZero() }
func (a amounts) equal(other amounts) bool {
	return a.traded.Equal(other.traded) && a.settled.Equal(other.settled)
}
func (a amounts) String() string { return a.traded.String() + ", settled " + a.settled.String() }

// holding names one: a symbol, or a currency.
type holding struct{ symbol, currency string }

type trial struct {
	b       *Bootstrap
	bk      *client.Client
	token   string
	effects map[bank.ID]map[holding]amounts
	names   map[int64]holding // BK's instruments
	mu      sync.Mutex
	told    Trial
}

// maxOff bounds what is told.
const maxOff = 1000

// tryBalance holds Bank's positions and balances, as they were extracted, against BK's as known at the end of what was loaded.
func (b *Bootstrap) tryBalance(ctx context.Context, m Manifest, s *systems) (Trial, error) {
	t := &trial{
		b: b, bk: s.bk, token: fmt.Sprintf("%d:%d", m.Staged.Journal.Shard, m.Staged.Journal.Summary.Head), effects: map[bank.ID]map[holding]amounts{}, names: map[int64]holding{},
	}
	for _, sum := range m.Staged.Journal.Summary.Sums {
		if t.told.Instruments++; sum.In != sum.Out {
			t.told.Unbalanced = append(t.told.Unbalanced, sum.Instrument)
		}
	}
	if len(m.Staged.Journal.Chunks) == 0 {
		return t.told, nil
	}
	held, err := lines[Held](ctx, b.store, m.Staged.Held)
	if err != nil {
		return t.told, err
	}
	for _, h := range held {
		for _, e := range h.Effects {
			if t.effects[e.AccountID] == nil {
				t.effects[e.AccountID] = map[holding]amounts{}
			}
			of := holding{e.Symbol, e.Currency}
			was := t.effects[e.AccountID][of]
			t.effects[e.AccountID][of] = amounts{was.traded.Add(e.Amount.Decimal), was.settled.Add(e.SettledAmount.Decimal)}
		}
	}
	stream, err := books.NewStream(books.StreamConfig{Client: s.bk, Pool: s.facade, Log: b.log})
	if err != nil {
		return t.told, err
	}
	defer stream.Close()
	rows, err := s.facade.Query(ctx, `SELECT symbol, instrument FROM facade.books_symbol`)
	if err != nil {
		return t.told, fmt.Errorf("read symbols: %w", err)
	}
	var symbol string
	var instrument int64
	if _, err := pgx.ForEachRow(rows, []any{&symbol, &instrument}, func() error { t.names[instrument] = holding{symbol: symbol}; return nil }); err != nil {
		return t.told, fmt.Errorf("read symbols: %w", err)
	}
	return t.told, t.all(ctx, m, stream)
}

// all goes through the accounts. Positions and balances were read in the order of accounts, so that no more than one account's are in memory at a time.
func (t *trial) all(ctx context.Context, m Manifest, stream *books.Stream) error {
	patches, err := t.b.patches(ctx)
	if err != nil {
		return err
	}
	open := func(table source.Table) *ahead {
		return &ahead{from: t.b.chainOf(ctx, m, table, lookUp(patches[table]))}
	}
	accounts, positions, balances := open(source.Accounts), open(source.Positions), open(source.Balances)
	defer func() {
		for _, a := range []*ahead{accounts, positions, balances} {
			a.from.Close()
		}
	}()
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(t.b.cfg.Parallel)
	for {
		row, err := accounts.take(func(source.Row) bool { return true })
		if err != nil || row == nil {
			return errors.Join(err, group.Wait())
		}
		id := row.(*source.Account).AccountID
		old := map[holding]amounts{}
		for {
			row, err := positions.take(func(r source.Row) bool { return r.(*source.Position).AccountID <= id })
			if err != nil {
				return errors.Join(err, group.Wait())
			}
			if row == nil {
				break
			}
			if p := row.(*source.Position); p.AccountID == id {
				old[holding{symbol: p.Symbol}] = amounts{p.Quantity.Decimal, p.SettledQuantity.Decimal}
			}
		}
		for {
			row, err := balances.take(func(r source.Row) bool { return r.(*source.Balance).AccountID <= id })
			if err != nil {
				return errors.Join(err, group.Wait())
			}
			if row == nil {
				break
			}
			if c := row.(*source.Balance); c.AccountID == id {
				old[holding{currency: c.Currency}] = amounts{c.SettledCash.Add(c.UnsettledCredits.Decimal).Sub(c.UnsettledDebits.Decimal), c.SettledCash.Decimal}
				if err := t.currency(working, stream, c.Currency); err != nil {
					return errors.Join(err, group.Wait())
				}
			}
		}
		for of, effect := range t.effects[id] {
			was := old[of]
			old[of] = amounts{was.traded.Sub(effect.traded), was.settled.Sub(effect.settled)}
		}
		group.Go(func() error { return t.account(working, id, old) })
		t.b.meter.add(1)
	}
}

// currency learns which of BK's instruments a currency is.
func (t *trial) currency(ctx context.Context, stream *books.Stream, code string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range t.names {
		if name.currency == code {
			return nil
		}
	}
	number, err := stream.Currency(ctx, code)
	if errors.Is(err, books.ErrMissing) {
		return nil // it has no account with anything of it
	}
	if err != nil {
		return fmt.Errorf("which instrument %s is: %w", code, err)
	}
	t.names[number] = holding{currency: code}
	return nil
}

// account compares one.
func (t *trial) account(ctx context.Context, id bank.ID, old map[holding]amounts) error {
	now, err := t.holdings(ctx, id)
	if err != nil {
		return fmt.Errorf("BK's balances of account %d: %w", id, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told.Accounts++
	for of := range now {
		if _, there := old[of]; !there {
			old[of] = amounts{}
		}
	}
	for _, of := range slices.SortedFunc(maps.Keys(old), func(a, b holding) int { return strings.Compare(a.symbol+"\x00"+a.currency, b.symbol+"\x00"+b.currency) }) {
		if !old[of].zero() {
			t.told.Holdings++
		}
		if !old[of].equal(now[of]) && len(t.told.Off) < maxOff {
			t.told.Off = append(t.told.Off, Off{AccountID: id, Symbol: of.symbol, Currency: of.currency, Bank: old[of].String(), BK: now[of].String()})
		}
	}
	return nil
}

func (t *trial) holdings(ctx context.Context, id bank.ID) (map[holding]amounts, error) {
	const pause, patience = 50 * time.Millisecond, time.Minute
	size := int32(1000)
	question := &bkv1.ListBalancesRequest{Account: bankmap.AccountRef(id), NonZero: true, KnownAt: t.token, PageSize: &size}
	found := map[holding]amounts{}
	for until := time.Now().Add(patience); ; {
		answer, err := t.bk.Query.ListBalances(ctx, connect.NewRequest(question))
		if connect.CodeOf(err) == connect.CodeNotFound {
			return found, nil
		}
		if err != nil {
			if !client.Retryable(err) || time.Now().After(until) || !idle.For(ctx, pause) {
				return nil, err
			}
			continue
		}
		for _, row := range answer.Msg.Balances {
			t.mu.Lock()
			of, known := t.names[row.Instrument]
			t.mu.Unlock()
			if !known {
				of = holding{symbol: fmt.Sprintf("BK's instrument %d", row.Instrument)}
			}
			var a amounts
			if a.traded, err = number(row.TradeDate); err == nil {
				a.settled, err = number(row.Settled)
			}
			if err != nil {
				return nil, fmt.Errorf("instrument %d: %w", row.Instrument, err)
			}
			found[of] = a
		}
		if question.PageToken = answer.Msg.NextPageToken; question.PageToken == "" {
			return found, nil
		}
	}
}

func number(text string) (decimal.Decimal, error) {
	if text == "" {
		return decimal.Decimal{}, nil
	}
	return decimal.NewFromString(text)
}

// ahead gives a row only if it is wanted.
type ahead struct {
	from *chain
	next source.Row
	end  bool
}

// take gives the next row if it is wanted; nil if it is not, or there is none. Rows that can't be read are in quarantine.
func (a *ahead) take(wanted func(source.Row) bool) (source.Row, error) {
	for a.next == nil && !a.end {
		row, err := a.from.next()
		if bad := (*source.BadRow)(nil); errors.As(err, &bad) {
			continue
		}
		if a.end = errors.Is(err, io.EOF); err != nil && !a.end {
			return nil, err
		}
		a.next = row
	}
	if a.end || !wanted(a.next) {
		return nil, nil
	}
	row := a.next
	a.next = nil
	return row, nil
}
