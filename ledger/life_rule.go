package ledger

import "slices"

// lifeRules make the rules that take a trade through its life after it is booked (bookkeeping: contractual settlement, street settlement,
// cancel).
func lifeRules() []Rule {
	return []Rule{
		{Kind: KindTradeOpen, OnTrade: openTrade},
		{Kind: KindSettle, Post: needLocations, OnTrade: settleTrade},
		{Kind: KindSettleStreet, Post: needLocations, OnTrade: settleStreet},
		{Kind: KindReverse, OnTrade: func(e *Entry, _ Life, _ *Desk) *Rejection {
			return Reject(ReasonInvalid, "kind", "a %s is made by a cancel only", e.Kind)
		}},
		{Kind: KindLink, OnTrade: func(e *Entry, _ Life, _ *Desk) *Rejection {
			return Reject(ReasonInvalid, "kind", "a %s is made by the booking of another trade only", e.Kind)
		}},
		{Kind: KindCancel, OnTrade: cancelTrade},
	}
}

// needLocations makes sure that the accounts are open which hold what the street has delivered.
func needLocations(_ *Command, _ *Entry, d *Desk) *Rejection {
	d.House(CodeLocationDTC)
	d.House(CodeLocationBank)
	return nil
}

// openTrade brings a new trade into force: the postings that its booking would have made on the trade date.
func openTrade(e *Entry, trade Life, d *Desk) *Rejection {
	if state := trade.State(); state != TradeNew {
		return wrongState(trade)
	}
	e.State = TradeOpen
	return tradePostings(e, d)
}

// settleTrade moves what the trade's parties have of it from unsettled to settled. If the day's settlements include the street side, what is
// due from or to the street comes in or goes out at the depository and the bank:
//
//	account/u  -q    account/s  +q                       each instrument, each party
//	street/u   +q S    location:dtc/s  -q S    street/u  -g $    location:bank/s  +g $
func settleTrade(e *Entry, trade Life, d *Desk) *Rejection {
	switch state := trade.State(); state {
	case TradeNew:
		return Reject(ReasonTradeNotOpen, "target", "trade %d is not in force yet", trade[0].ID)
	case TradeSettled, TradeCanceled:
		return wrongState(trade)
	}
	e.EffectiveDate = max(e.SettleDate, e.EffectiveDate)
	e.State = TradeSettled
	for _, p := range trade.Made() {
		if p.Bucket == Unsettled && e.isParty(p.Account) {
			e.Postings = append(e.Postings, Posting{p.Account, p.Instrument, Unsettled, p.Quantity.Neg()}, Posting{p.Account, p.Instrument, Settled, p.Quantity})
		}
	}
	if !d.day.Street {
		return nil
	}
	return streetPostings(e, trade, d)
}

// settleStreet settles the street side of a trade by itself.
func settleStreet(e *Entry, trade Life, d *Desk) *Rejection {
	switch state := trade.State(); state {
	case TradeNew:
		return Reject(ReasonTradeNotOpen, "target", "trade %d is not in force yet", trade[0].ID)
	case TradeCanceled:
		return wrongState(trade)
	}
	if rej := streetPostings(e, trade, d); rej != nil {
		return rej
	}
	if len(e.Postings) == 0 {
		return Reject(ReasonTradeSettled, "target", "nothing of trade %d is outstanding with the street", trade[0].ID)
	}
	if booked := trade[0]; e.EffectiveDate < booked.EffectiveDate {
		return Reject(ReasonInvalid, "effective_date", "%s is before %s, from which trade %d counts", e.EffectiveDate, booked.EffectiveDate, booked.ID)
	}
	return nil
}

func streetPostings(e *Entry, trade Life, d *Desk) *Rejection {
	security, rej := d.Instrument("trade.instrument", e.Trade.Instrument)
	if rej != nil {
		return rej
	}
	for _, p := range trade.Made() {
		if p.Bucket != Unsettled || e.isParty(p.Account) {
			continue
		}
		location := CodeLocationBank
		if p.Instrument == security {
			location = CodeLocationDTC
		}
		e.Postings = append(e.Postings, Posting{p.Account, p.Instrument, Unsettled, p.Quantity.Neg()},
			Posting{d.House(location), p.Instrument, Settled, p.Quantity})
	}
	return nil
}

// isParty reports whether the account is one of the trade's own, not the street's.
func (e *Entry) isParty(account int64) bool {
	return account == e.Trade.Account.ID || !e.Trade.Target.IsZero() && account == e.Trade.Target.ID
}

// cancelTrade negates every posting that brought the trade into force; [Rules.Decide] has its settlements reversed before. Its dates stay.
func cancelTrade(e *Entry, trade Life, _ *Desk) *Rejection {
	if trade.State() == TradeCanceled {
		return wrongState(trade)
	}
	opened := trade.opened()
	e.Postings, e.State, e.Links.Reverses = negated(opened.Postings), TradeCanceled, opened.ID
	return nil
}

func negated(postings []Posting) []Posting {
	out := slices.Clone(postings)
	for i := range out {
		out[i].Quantity = out[i].Quantity.Neg()
	}
	return out
}

// wrongState rejects what the trade's state does not allow.
func wrongState(trade Life) *Rejection {
	reason, state := ReasonTradeCanceled, "cancelled"
	switch trade.State() {
	case TradeOpen:
		reason, state = ReasonTradeOpen, "open"
	case TradeSettled:
		reason, state = ReasonTradeSettled, "settled"
	}
	return Reject(reason, "target", "trade %d is %s already", trade[0].ID, state)
}

// place settles what depends on the business date when a trade is booked, which its rule has prepared: a trade of a later date does nothing to
// the books yet; due says that its settlement date has come. replaced is the trade that it is booked in place of, nil if none: after settlement, the
// day on which a correction is processed is its settlement date, unless it gives one.
func (b BusinessDay) place(e *Entry, c *Command, replaced Life) (due bool) {
	e.State = TradeOpen
	if replaced != nil {
		booked := replaced[0]
		e.Links.Corrects, e.Links.Root = booked.ID, booked.Place()
		if c.SettleDate == 0 && replaced.wasSettled() && e.TradeDate <= b.Date {
			e.SettleDate = b.Date
		}
	}
	if b.Date != 0 && e.TradeDate > b.Date {
		e.Postings, e.State = nil, TradeNew
		return false
	}
	return b.Date != 0 && e.SettleDate <= b.Date
}

// wasSettled reports whether the trade had settled before it was cancelled, or is settled.
func (l Life) wasSettled() bool {
	return slices.ContainsFunc(l, func(e *Entry) bool { return e.Kind == KindSettle })
}
