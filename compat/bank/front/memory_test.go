package front_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
)

// memory is a ledger that keeps what it is given and does no bookkeeping: enough for the shape of calls. What a call does when it is not asked for shape is
// tested by the contract suite against real ledgers.
type memory struct {
	mu       sync.Mutex
	date     bank.Date
	trades   []bank.StoredTrade
	entities []bank.Entity
	accounts []bank.Account
	symbols  []string
	replays  []bank.Replay
	fail     error  // instead of an answer to BusinessDate
	during   func() // before AccountTrades answers
}

var _ front.Ledger = (*memory)(nil)

func (m *memory) BookTrades(_ context.Context, trades []bank.Trade) ([]bank.Booked, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var booked []bank.Booked
	for _, trade := range trades {
		id := bank.ID(len(m.trades) + 1)
		m.trades = append(m.trades, bank.StoredTrade{TradeID: id, Trade: trade, State: bank.StateOpen, BookedAt: 5})
		booked = append(booked, bank.Booked{ClientTradeID: trade.ClientTradeID, TradeID: id})
	}
	return booked, nil
}

func (m *memory) find(ref bank.TradeRef) (*bank.StoredTrade, error) {
	for i := range m.trades {
		if t := &m.trades[i]; t.TradeID == ref.TradeID || ref.TradeID == 0 && t.AccountID == ref.AccountID && t.ClientTradeID == ref.ClientTradeID {
			return t, nil
		}
	}
	return nil, bank.Errorf(bank.TradeNotFound, "no such trade")
}

func (m *memory) CancelTrade(_ context.Context, ref bank.TradeRef) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	trade, err := m.find(ref)
	if err != nil {
		return err
	}
	if trade.State == bank.StateCanceled {
		return bank.Errorf(bank.TradeAlreadyCanceled, "cancelled")
	}
	trade.State = bank.StateCanceled
	return nil
}

func (m *memory) Trade(_ context.Context, ref bank.TradeRef) (bank.StoredTrade, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	trade, err := m.find(ref)
	if err != nil {
		return bank.StoredTrade{}, err
	}
	return *trade, nil
}

func (m *memory) Entities(_ context.Context, after bank.ID, limit int) ([]bank.Entity, error) {
	return head(m.entities, limit, func(e bank.Entity) bool { return e.EntityID > after }), nil
}

func (m *memory) Entity(_ context.Context, id bank.ID) (bank.Entity, error) {
	for _, e := range m.entities {
		if e.EntityID == id {
			return e, nil
		}
	}
	return bank.Entity{}, bank.Errorf(bank.EntityNotFound, "no such entity")
}

func (m *memory) Accounts(_ context.Context, after bank.ID, limit int) ([]bank.Account, error) {
	return head(m.accounts, limit, func(a bank.Account) bool { return a.AccountID > after }), nil
}

func (m *memory) Account(_ context.Context, id bank.ID) (bank.Account, error) {
	for _, a := range m.accounts {
		if a.AccountID == id {
			return a, nil
		}
	}
	return bank.Account{}, bank.Errorf(bank.AccountNotFound, "no such account")
}

func (m *memory) AccountTrades(_ context.Context, _ bank.ID, filter front.TradeFilter, after bank.ID, limit int) ([]bank.AccountTrade, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.during != nil {
		defer m.during()
	}
	if filter.Date == 0 {
		filter.Date = m.date
	}
	var rows []bank.AccountTrade
	for _, t := range m.trades {
		if t.Date == filter.Date {
			rows = append(rows, bank.AccountTrade{TradeID: t.TradeID, AccountID: t.AccountID, Symbol: t.Instrument.Identifier, Side: "buy"})
		}
	}
	return head(rows, limit, func(row bank.AccountTrade) bool { return row.TradeID > after }), nil
}

func (m *memory) AccountTrade(_ context.Context, account, trade bank.ID) (bank.AccountTrade, error) {
	return bank.AccountTrade{TradeID: trade, AccountID: account}, nil
}

func (m *memory) Positions(_ context.Context, account bank.ID, _ bool, after string, limit int) ([]bank.Position, error) {
	var rows []bank.Position
	for _, symbol := range m.symbols {
		rows = append(rows, bank.Position{AccountID: account, Symbol: symbol, SettledQuantity: new(bank.Decimal)})
	}
	slices.SortFunc(rows, func(a, b bank.Position) int { return cmp.Compare(a.Symbol, b.Symbol) })
	return head(rows, limit, func(p bank.Position) bool { return strings.Compare(p.Symbol, after) > 0 }), nil
}

func (m *memory) Position(_ context.Context, account bank.ID, symbol string, _ bool) (bank.Position, error) {
	if !slices.Contains(m.symbols, symbol) {
		return bank.Position{}, bank.Errorf(bank.PositionNotFound, "no position in %q", symbol)
	}
	return bank.Position{AccountID: account, Symbol: symbol, SettledQuantity: new(bank.Decimal)}, nil
}

func (m *memory) Balances(context.Context, bank.ID) ([]bank.Balance, error) {
	return []bank.Balance{{Currency: "CAD"}, {Currency: "USD"}}, nil
}

func (m *memory) JournalRows(_ context.Context, _, after bank.ID, limit int) ([]bank.JournalRow, error) {
	rows := []bank.JournalRow{{JournalID: 9}, {JournalID: 10}, {JournalID: 11}}
	return head(rows, limit, func(row bank.JournalRow) bool { return row.JournalID > after }), nil
}

func (m *memory) BusinessDate(context.Context) (bank.Date, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	return m.date, nil
}

func (m *memory) CreateEntity(_ context.Context, e bank.Entity) (bool, error) {
	m.entities = append(m.entities, e)
	return len(m.entities) == 1, nil
}

func (m *memory) CreateAccount(_ context.Context, a bank.NewAccount) (bool, error) {
	m.accounts = append(m.accounts, a.Account())
	return len(m.accounts) == 1, nil
}

func (m *memory) MoveCash(_ context.Context, c bank.Cash) (bank.ID, error) {
	switch c.ClientID {
	case "lost":
		return 0, bank.Errorf(bank.OutcomeUnknown, "who knows")
	case "panic":
		panic("of memory")
	}
	return 12, nil
}

func (m *memory) Roll(_ context.Context, d bank.Date) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.date = d
	return nil
}

func (m *memory) Replay(_ context.Context, r bank.Replay) error {
	m.replays = append(m.replays, r)
	return nil
}

func (m *memory) ReplayPlace(context.Context) (bank.ReplayPlace, error) {
	return bank.ReplayPlace{LastTradeID: 5, LastCashID: 6, LastEventID: 7}, nil
}

// head gives the first rows that match.
func head[T any](rows []T, limit int, match func(T) bool) []T {
	var out []T
	for _, row := range rows {
		if match(row) && len(out) < limit {
			out = append(out, row)
		}
	}
	return out
}
