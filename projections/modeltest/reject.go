package modeltest

import "math/big"

// The ledger names the first that holds of a fixed list of reasons; the functions here follow it.

// formFault finds what is wrong with a command whatever is in the books.
func (m *Model) formFault(c Command) string {
	var missing, invalid, range_, kind bool
	missing = c.Key == ""
	if c.SettleDate != 0 && c.SettleDate < c.TradeDate {
		invalid = true
	}
	_, isEvent := eventFields[c.Kind]
	switch {
	case c.isTrade():
		t := c.Trade
		missing = missing || c.TradeDate == 0
		invalid = invalid || number(t.Quantity).Sign() <= 0 || number(t.Price).Sign() < 0 || t.Short && t.Direction == "buy" || t.Target != "" && t.Target == t.Account
		if !invalid && !missing {
			cash := priced(c, "")
			range_ = !hasTenDigits(cash.Gross)
			for _, n := range []*big.Rat{cash.Gross, cash.Net, plus(cash.Gross, cash.Accrued)} {
				range_ = range_ || !below(absolute(n), "1000000000000000000")
			}
		}
	case c.Kind == "trade.cancel", c.Kind == "trade.settle_street":
	case c.Kind == "posting":
		for _, l := range c.Legs {
			invalid = invalid || number(l.Quantity).Sign() == 0
		}
	case isEvent:
		for name, is := range eventFields[c.Kind] {
			missing = missing || c.Fields[name] == ""
			invalid = invalid || is == "number" && c.Fields[name] != "" && number(c.Fields[name]).Sign() <= 0
		}
		for name := range c.Fields {
			invalid = invalid || eventFields[c.Kind][name] == "" && !optional[c.Kind][name]
		}
		if !missing {
			invalid = invalid || c.Kind == "journal.cash" && c.Fields["from"] == c.Fields["to"] || c.Kind == "journal.security" && c.Fields["from"] == c.Fields["to"] ||
				c.Kind == "fx.trade" && c.Fields["sold_currency"] == c.Fields["bought_currency"]
		}
	default:
		kind = true
	}
	for _, fault := range []struct {
		holds  bool
		reason string
	}{{missing, "missing_field"}, {invalid, "invalid_field"}, {range_, "out_of_range"}, {kind, "unknown_kind"}} {
		if fault.holds {
			return fault.reason
		}
	}
	return ""
}

// unknown finds names of nothing, and postings that don't add up.
func (m *Model) unknown(c Command) string {
	var accounts, securities, currencies []string
	if t := c.Trade; t != nil {
		accounts, securities, currencies = []string{t.Account}, []string{t.Security}, []string{t.Currency}
		if t.Target != "" {
			accounts = append(accounts, t.Target)
		}
	}
	for _, l := range c.Legs {
		accounts, securities = append(accounts, l.Account), append(securities, l.Instrument)
	}
	for name, is := range eventFields[c.Kind] {
		switch is {
		case "account":
			accounts = append(accounts, c.Fields[name])
		case "security":
			securities = append(securities, c.Fields[name])
		case "currency":
			currencies = append(currencies, c.Fields[name])
		}
	}
	if c.Kind == "journal.security" {
		currencies = append(currencies, c.Fields["currency"])
	}
	for _, a := range accounts {
		if _, ok := m.Accounts[a]; !ok {
			return "unknown_account"
		}
	}
	for _, s := range securities {
		if _, ok := m.Instruments[s]; !ok {
			return "unknown_instrument"
		}
	}
	for _, s := range currencies {
		if in, ok := m.Instruments[s]; s != "" && (!ok || in.Currency != "") {
			return "wrong_currency"
		}
	}
	sums := map[string]*big.Rat{}
	for _, l := range c.Legs {
		if sums[l.Instrument] == nil {
			sums[l.Instrument] = zero()
		}
		sums[l.Instrument] = plus(sums[l.Instrument], number(l.Quantity))
	}
	for _, sum := range sums {
		if sum.Sign() != 0 {
			return "unbalanced"
		}
	}
	return ""
}

// stateFault finds what the state of a trade does not allow.
func (m *Model) stateFault(c Command) string {
	ref := c.Target
	if c.Replaces != nil {
		ref = c.Replaces
	}
	if ref == nil {
		return ""
	}
	t := m.target(ref)
	switch {
	case t == nil:
		return "trade_not_found"
	case t.state() == "canceled" && !(c.Replaces != nil && c.Link):
		return "trade_already_canceled"
	case c.Unsettled && t.state() == "settled":
		return "trade_settled"
	case c.Kind == "trade.settle_street" && t.state() == "new":
		return "trade_not_open"
	case c.Kind == "trade.settle_street" && len(t.streetLeg()) == 0:
		return "trade_settled"
	case c.Kind == "trade.settle_street" && c.EffectiveDate != 0 && c.EffectiveDate < t.Effective:
		return "invalid_field"
	}
	return ""
}
