package history

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books/archive"
	"github.com/bkledger/bk/ledger"
)

// openingAccount is what opening balances are booked against.
const openingAccount = "control:bootstrap:opening"

// The archive's tables, see package archive.
var (
	tableTrade = table{"facade.archive_trade", []string{
		"bank_id", "account_id", "target_id", "trade_date", "state", "client_id", "content", "body", "running", "target_running", "replaces",
	}}
	tableCash    = table{"facade.archive_cash", []string{"cash_id", "client_id", "content"}}
	tableJournal = table{"facade.archive_journal", []string{
		"row_id", "account_id", "date", "trade_id", "cash_id", "symbol", "currency", "memo", "td_quantity", "td_amount", "sd_quantity", "sd_amount",
	}}
)

// past is what the archive, or the opened books, need of a trade.
type past struct {
	row      source.Trade // repaired
	request  bank.Trade
	command  *bkv1.Command
	texts    []string
	replaces bank.ID   // the trade in whose place it stands, 0: none
	running  [2]string // the positions of its accounts right after it opened; "": it has not
}

// rehearsal books the history into a journal that nobody keeps, since all rules ask what BK makes of it. Definitions are made in the books that are opened, too, so that both
// know the same accounts and instruments.
type rehearsal struct {
	*bulk.Builder
	opens Ledger
}

// OpenAccount implements [Ledger].
func (r rehearsal) OpenAccount(a *bkv1.Account, source string, at time.Time) (bulk.Receipt, error) {
	if receipt, err := r.Builder.OpenAccount(a, source, at); err != nil {
		return receipt, err
	}
	return r.opens.OpenAccount(a, source, at)
}

// DefineInstrument implements [Ledger].
func (r rehearsal) DefineInstrument(in *bkv1.Instrument, source string, at time.Time) (bulk.Receipt, error) {
	if receipt, err := r.Builder.DefineInstrument(in, source, at); err != nil {
		return receipt, err
	}
	return r.opens.DefineInstrument(in, source, at)
}

// rehearse makes the stage book the history for its rules' sake alone.
func (s *stage) rehearse() error {
	builder, err := bulk.NewBuilder(bulk.BuilderConfig{Sink: func(bulk.Chunk) error { return nil }})
	if err != nil {
		return err
	}
	s.opens = s.to
	s.to = rehearsal{builder, s.opens}
	return nil
}

// openBooks opens the books with what is settled of all holdings, and books what is alive. What is unsettled is moved by trades that are alive, and by nothing else.
func (s *stage) openBooks(context.Context) error {
	if s.opens == nil {
		return nil
	}
	s.to = s.opens
	alive := sortedIDs(s.live)
	// Those that opened before the first business date, and would be new after it.
	early := func(t *live) bool { return t.state == bank.StateOpen && t.tradeDate > s.date }
	for _, id := range alive {
		if early(s.live[id]) {
			if err := s.revive(s.live[id]); err != nil {
				return err
			}
		}
	}
	if s.date != 0 {
		if err := s.to.Roll(int32(s.date), s.moment(0)); err != nil {
			return fmt.Errorf("roll to %d: %w", s.date, err)
		}
	}
	if err := s.openBalances(); err != nil {
		return err
	}
	for _, id := range alive {
		if !early(s.live[id]) {
			if err := s.revive(s.live[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) openBalances() error {
	byAccount := func(a, b holdingKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.symbol, b.symbol))
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.mirror.holdings), byAccount) {
		if err := s.openBalance(Change{AccountID: k.account, Symbol: k.symbol}, s.symbols.known[k.symbol], s.mirror.holdings[k].settled); err != nil {
			return err
		}
	}
	byCurrency := func(a, b moneyKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.currency, b.currency))
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.mirror.monies), byCurrency) {
		if err := s.openBalance(Change{AccountID: k.account, Currency: k.currency}, bankmap.Currency(k.currency), s.mirror.monies[k].settled); err != nil {
			return err
		}
		// Bank shows a currency for ever that an account once had.
		if err := s.put(tableFree, k.account.String(), k.currency, openingAccount, "true"); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) openBalance(c Change, instrument *bkv1.Identifier, settled ledger.Amount) error {
	if settled.IsZero() {
		return nil
	}
	c.Amount, c.SettledAmount = bankmap.Amount(settled), bankmap.Amount(settled)
	_, rej, err := s.post(c, instrument, openingAccount, fmt.Sprintf("bootstrap/opening/%d/%s%s", c.AccountID, c.Symbol, c.Currency), nil)
	if rej != nil {
		err = rej
	}
	if err != nil {
		return fmt.Errorf("account %d, %s%s: %w", c.AccountID, c.Symbol, c.Currency, err)
	}
	s.report.Opened++
	return nil
}

// revive books a trade that is alive. What it replaces is over, and not there.
func (s *stage) revive(t *live) error {
	p := t.past
	p.command.Replaces = nil
	receipt, rej, err := s.book(p.command, p.row.BookedAt)
	if rej != nil {
		err = rej
	}
	if err != nil {
		return fmt.Errorf("trade %d: %w", t.id, err)
	}
	if got := bankmap.State(tradeStates[receipt.State]); got != t.state {
		return fmt.Errorf("trade %d: BK has it %s, and it should be %s", t.id, got, t.state)
	}
	s.report.Alive++
	if err := s.keepTrade(&p.row, &p.request, receipt.Trade, t.key, p.texts); err != nil {
		return err
	}
	return s.archiveTrade(t)
}

// archiveTrade writes a trade that is over, or what BK won't know of one that is alive.
func (s *stage) archiveTrade(t *live) error {
	p := t.past
	state, body := "", ""
	if t.state == bank.StateSettled || t.state == bank.StateCanceled {
		r := &p.row
		stored := bank.StoredTrade{
			TradeID: t.id, Trade: p.request, State: t.state, SettleDate: r.SettleDate, GrossAmount: r.GrossAmount, SECFee: r.SECFee, TAFFee: r.TAFFee, NetAmount: r.NetAmount,
			BookedAt: r.BookedAt, CanceledAt: r.CanceledAt, ReplacedBy: idOrNil(t.replacedBy), Replaces: idOrNil(p.replaces),
		}
		state, body = t.state, string(stored.AppendJSON(nil))
	}
	content := archive.HashTrade(&p.request)
	return s.put(tableTrade, t.id.String(), t.account.String(), t.target.String(), strconv.Itoa(int(t.tradeDate)), state, t.clientID, bytea(content[:]), body,
		p.running[0], p.running[1], p.replaces.String())
}

func (s *stage) archiveCash(c *cashRecord) error {
	if c.row.ClientID == "" {
		return nil
	}
	content := archive.HashCash(c.asked())
	return s.put(tableCash, c.row.CashID.String(), c.row.ClientID, bytea(content[:]))
}

// archiveRow writes a journal row, as it follows from its trade or cash movement.
func (s *stage) archiveRow(row, want *step) error {
	if s.opens == nil {
		return nil
	}
	r, trade, cash := &row.row, bank.ID(0), bank.ID(0)
	if r.TradeID != nil {
		trade = *r.TradeID
	} else if *r.CashID > 0 {
		cash = *r.CashID
	}
	amount := func(a ledger.Amount) string { return bankmap.Amount(a).String() }
	return s.put(tableJournal, r.JournalID.String(), r.AccountID.String(), strconv.Itoa(int(r.Date)), trade.String(), cash.String(), want.row.Symbol, want.row.Currency, r.Memo,
		amount(want.tdQuantity), amount(want.tdAmount), amount(want.sdQuantity), amount(want.sdAmount))
}

func bytea(b []byte) string { return `\x` + hex.EncodeToString(b) }

func idOrNil(id bank.ID) *bank.ID {
	if id == 0 {
		return nil
	}
	return &id
}
