package history

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books/script"
	"github.com/bkledger/bk/ledger"
)

// bookThrough books all trades up to an id that are not booked yet, in the order of their ids.
func (s *stage) bookThrough(id bank.ID) error {
	for {
		in, err := s.trades.peek(0)
		if err != nil || in == nil || in.row.TradeID > id {
			return err
		}
		s.trades.take()
		if err := s.trade(in); err != nil {
			return fmt.Errorf("trade %d: %w", in.row.TradeID, err)
		}
	}
}

// trade books a trade, or holds it back.
func (s *stage) trade(in *incoming) error {
	r := &in.row
	s.report.LastTradeID = max(s.report.LastTradeID, r.TradeID)
	for _, f := range in.fixes {
		if err := s.repair(source.Trades, r.TradeID.String(), f.rule, f.field, f.was, f.now); err != nil {
			return err
		}
	}
	rule, reason := s.refusal(in)
	if rule == "" {
		request, err := bank.ReadTrade([]byte(in.request))
		if err != nil {
			return fmt.Errorf("read what was written: %w", err)
		}
		rej, err := s.bookTrade(in, &request)
		if err != nil {
			return err
		}
		if rej != nil {
			rule, reason = Refused, rej.Error()
		}
	}
	if rule != "" {
		h, err := s.hold(source.Trades, r.TradeID.String(), rule, reason, asRow(in.raw, r))
		if err != nil {
			return err
		}
		s.held[r.TradeID] = h
	}
	return s.passed(in)
}

// refusal says why a trade can't be booked here; "": it can.
func (s *stage) refusal(in *incoming) (Rule, string) {
	r := &in.row
	switch {
	case in.rule != "":
		return in.rule, in.reason
	case !s.accounts[r.AccountID]:
		return NoAccount, fmt.Sprintf("account_id: there is no account %d", r.AccountID)
	case r.TargetAccountID != nil && !s.accounts[*r.TargetAccountID]:
		return NoTarget, fmt.Sprintf("target_account_id: there is no account %d", *r.TargetAccountID)
	}
	now, end := s.date, s.in.BusinessDate
	if r.State == bank.StateCanceled {
		if in.never() && (now == 0 || r.TradeDate <= now) {
			return Unplaced, fmt.Sprintf("state: it is cancelled and has no journal row, but would have been in force from its booking on, on business date %d", now)
		}
		return "", ""
	}
	state := bank.StateNew
	if now == 0 || r.TradeDate <= max(now, end) {
		state = bank.StateOpen
		if end != 0 && r.SettleDate <= end {
			state = bank.StateSettled
		}
	}
	if r.State != state {
		return StateDates, fmt.Sprintf("state: it is %s, and of %d settling %d, at business date %d it should be %s", r.State, r.TradeDate, r.SettleDate, end, state)
	}
	return "", ""
}

// passed lets go of the trades that have waited for this one.
func (s *stage) passed(in *incoming) error {
	r := &in.row
	waiting := []bank.ID{s.claims[r.TradeID]}
	delete(s.claims, r.TradeID)
	if r.Replaces != nil {
		waiting = append(waiting, *r.Replaces)
	}
	for _, id := range waiting {
		if t := s.live[id]; t != nil && t.lastBy == r.TradeID {
			t.lastBy = 0
			if err := s.forget(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// bookTrade books a trade. What BK refuses leaves nothing behind but definitions.
func (s *stage) bookTrade(in *incoming, request *bank.Trade) (*ledger.Rejection, error) {
	r := &in.row
	instrument, rej, err := s.symbol(request.Instrument)
	if rej != nil || err != nil {
		return rej, err
	}
	if rej, err := s.currency(r.Currency); rej != nil || err != nil {
		return rej, err
	}
	command, extras, err := bankmap.FromCharged(request, instrument, in.charged)
	if err != nil {
		return nil, err
	}
	texts := script.PutExtras([]*bkv1.Command{command}, []string{extras})
	script.Decided(command, r.TradeID, r.BookedAt)
	replaced, restored := s.replaced(in, request)
	if replaced != nil {
		if replaced.state != bank.StateCanceled && replaced.canceler != r.TradeID {
			if err := s.cancelLive(replaced); err != nil {
				return nil, err
			}
		}
		replacing(command, request, replaced)
	}
	receipt, rej, err := s.book(command, r.BookedAt)
	if rej != nil || err != nil {
		return rej, err
	}
	s.report.Trades++
	t := newLive(in, command.Key, receipt.Trade)
	if s.opens != nil {
		t.past = &past{row: in.row, request: *request, command: command, texts: texts}
		if replaced != nil {
			t.past.replaces = replaced.id
		}
	}
	s.live[t.id] = t
	s.report.MostLive = max(s.report.MostLive, len(s.live))
	if replaced != nil {
		if replaced.state != bank.StateCanceled {
			s.mirror.cancel(replaced)
		}
		replaced.replacedBy = t.id
	}
	s.enter(t)
	if got := bankmap.State(tradeStates[receipt.State]); got != t.state {
		return nil, fmt.Errorf("BK has it %s, and it should be %s", got, t.state)
	}
	if s.opens == nil {
		if err := s.keepTrade(&in.row, request, receipt.Trade, command.Key, texts); err != nil {
			return nil, err
		}
	}
	s.expectLinks(in, t)
	if err := s.countTrade(in, t, replaced, restored); err != nil {
		return nil, err
	}
	if t.never && t.canceler == 0 {
		return nil, s.cancelLive(t)
	}
	return nil, nil
}

var tradeStates = map[ledger.TradeState]bkv1.TradeState{
	ledger.TradeNew: bkv1.TradeState_TRADE_STATE_NEW, ledger.TradeOpen: bkv1.TradeState_TRADE_STATE_OPEN,
	ledger.TradeSettled: bkv1.TradeState_TRADE_STATE_SETTLED, ledger.TradeCanceled: bkv1.TradeState_TRADE_STATE_CANCELED,
}

// book books a command; a rejection is no error.
func (s *stage) book(c *bkv1.Command, at int64) (r bulk.Receipt, rej *ledger.Rejection, err error) {
	r, err = s.to.Book(c, s.moment(at))
	if errors.As(err, &rej) {
		return r, rej, nil
	}
	if err == nil && r.Repeat {
		err = fmt.Errorf("key %q: it is booked twice", c.Key)
	}
	return r, nil, err
}

func newLive(in *incoming, key string, bk int64) *live {
	r := &in.row
	t := &live{
		id: r.TradeID, account: r.AccountID, clientID: r.ClientTradeID, key: key, symbol: r.Symbol, currency: r.Currency, sell: r.Sell, tradeDate: r.TradeDate,
		settleDate: r.SettleDate, state: bank.StateNew, final: r.State, bk: bk, quantity: in.quantity, principal: in.principal, fees: in.fees, never: in.never(),
	}
	if r.TargetAccountID != nil {
		t.target = *r.TargetAccountID
	}
	if r.CanceledAt != nil {
		t.canceledAt = *r.CanceledAt
	}
	if r.ReplacedBy != nil {
		t.stored = *r.ReplacedBy
	}
	return t
}

// enter does what BK does with a trade that is booked now.
func (s *stage) enter(t *live) {
	if s.date != 0 && t.tradeDate > s.date {
		s.newDue[t.tradeDate] = append(s.newDue[t.tradeDate], t.id)
		return
	}
	s.open(t)
	if s.date != 0 && t.settleDate <= s.date {
		s.mirror.settle(t)
	}
}

func (s *stage) open(t *live) {
	s.mirror.open(t)
	if t.past != nil {
		for i, side := range t.sides() {
			t.past.running[i] = bankmap.Amount(s.mirror.holding(side.account, t.symbol).traded).String()
		}
	}
	if s.date == 0 || t.settleDate > s.date {
		s.settleDue[t.settleDate] = append(s.settleDue[t.settleDate], t.id)
	}
}

// expectLinks notes which trades are still to come that name this one as replaced, and which of them cancels it: the one that was booked at that time.
func (s *stage) expectLinks(in *incoming, t *live) {
	named := t.stored == 0
	for _, l := range in.by {
		t.lastBy = max(t.lastBy, l.by)
		named = named || l.by == t.stored
		if at, _ := milliseconds("", l.at); t.canceler == 0 && t.final == bank.StateCanceled && at == t.canceledAt {
			t.canceler = l.by
		}
	}
	if !named && t.stored > t.id {
		s.claims[t.stored], t.lastBy = t.id, max(t.lastBy, t.stored)
	}
}

// replaced gives the trade in whose place one stands, nil if there is none; restored says that the trade itself doesn't say so, but its request and the other do.
func (s *stage) replaced(in *incoming, request *bank.Trade) (t *live, restored bool) {
	fits := func(t *live) bool { return t != nil && t.account == in.row.AccountID && t.final == bank.StateCanceled }
	if in.row.Replaces != nil {
		if t = s.live[*in.row.Replaces]; fits(t) && t.id < in.row.TradeID {
			return t, false
		}
		return nil, false
	}
	if t = s.live[s.claims[in.row.TradeID]]; fits(t) && (request.CancelTradeID == t.clientID || request.CancelTradeID == t.id.String()) {
		return t, true
	}
	return nil, false
}

// replacing names the replaced trade as books would, or, where the request names another, by itself.
func replacing(command *bkv1.Command, request *bank.Trade, t *live) {
	switch request.CancelTradeID {
	case t.id.String():
		bankmap.Replacing(command, request, t.bk)
	case t.clientID:
		bankmap.Replacing(command, request, 0)
	default:
		command.Replaces = &bkv1.Replaces{Key: t.key, LinkIfCanceled: true, UnlessSettled: true}
	}
}

// cancelLive cancels a trade: by the booking that did it in Bank, if there is one and it is still to come, else by itself.
func (s *stage) cancelLive(t *live) error {
	if t.canceler != 0 {
		if err := s.bookThrough(t.canceler); err != nil {
			return err
		}
	}
	if t.state == bank.StateCanceled {
		return nil
	}
	_, rej, err := s.book(script.Cancel(t.id, t.key, t.canceledAt), t.canceledAt)
	if rej != nil {
		err = rej
	}
	if err != nil {
		return fmt.Errorf("cancel trade %d: %w", t.id, err)
	}
	s.report.Cancels++
	s.mirror.cancel(t)
	return nil
}

// countTrade counts the rules that a booked trade falls under.
func (s *stage) countTrade(in *incoming, t, replaced *live, restored bool) error {
	if in.charged.NoSECFee || in.charged.NoTAFFee {
		s.fired(FeeMissing)
	}
	if in.charged.SettleDate != 0 {
		s.fired(OddSettlement)
	}
	if t.settleDate != bank.WhenIssued && !ledger.IsSettlementDay(ledger.Date(t.settleDate)) {
		s.fired(HolidaySettlement)
	}
	if s.date != 0 && t.settleDate < s.date {
		s.fired(SettledEarly)
	}
	switch {
	case restored:
		return s.repair(source.Trades, t.id.String(), LinkRestored, "replaces", "", replaced.id.String())
	case replaced == nil && in.row.Replaces != nil:
		return s.repair(source.Trades, t.id.String(), LinkDropped, "replaces", in.row.Replaces.String(), "")
	}
	return nil
}

// keepTrade writes what books keeps of a trade.
func (s *stage) keepTrade(r *source.Trade, request *bank.Trade, bk int64, key string, texts []string) error {
	for _, text := range texts {
		if err := s.text(text); err != nil {
			return err
		}
	}
	if err := s.put(tableID, "trade", r.TradeID.String(), strconv.FormatInt(bk, 10)); err != nil {
		return err
	}
	for _, account := range script.Free(request) {
		if err := s.put(tableFree, account.String(), r.Currency, key, "false"); err != nil {
			return err
		}
	}
	return nil
}
