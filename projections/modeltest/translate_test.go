package modeltest_test

import (
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/modeltest"
)

// newModel makes the model of a ledger after [definitions], with the numbers that accounts and instruments get in it.
func newModel(head uint64) *modeltest.Model {
	accounts, instruments := map[string]int64{}, map[string]modeltest.Instrument{}
	for i, code := range append(append([]string{}, owners...), house...) {
		accounts[code] = int64(1001 + i)
	}
	for i, code := range currencies {
		instruments[code] = modeltest.Instrument{ID: int64(i) + 1}
	}
	for i, ticker := range tickers {
		instruments[ticker] = modeltest.Instrument{ID: int64(len(currencies)+i) + 1, Currency: securities[ticker].currency}
	}
	return modeltest.NewModel(accounts, instruments, head)
}

// definitions are the commands that open the accounts and define the instruments, in the order of their numbers.
func definitions() []*ledger.Command {
	var commands []*ledger.Command
	for _, code := range currencies {
		in := ledger.Currency(code)
		commands = append(commands, &ledger.Command{Kind: ledger.KindInstrument, Define: &in})
	}
	for _, ticker := range tickers {
		commands = append(commands, &ledger.Command{Kind: ledger.KindInstrument, Define: &ledger.Instrument{Symbol: ticker, Identifiers: []ledger.Identifier{identifier(ticker)}}})
	}
	for i, code := range append(append([]string{}, owners...), house...) {
		commands = append(commands, &ledger.Command{Kind: ledger.KindOpen, Account: &ledger.Account{ID: int64(1001 + i), Code: code}})
	}
	return commands
}

func identifier(instrument string) ledger.Identifier {
	for _, code := range append([]string{"CHF"}, currencies...) {
		if code == instrument {
			return ledger.CurrencyID(code)
		}
	}
	l, ok := securities[instrument]
	if !ok {
		l = listing{"USA", "USD"}
	}
	return ledger.Identifier{Type: ledger.Ticker, Value: instrument, Country: l.country, Currency: l.currency}
}

// translate makes the ledger's command of a model's; find knows the ids of trades.
func translate(c modeltest.Command, find func(key string) ledger.ID) *ledger.Command {
	out := &ledger.Command{
		Kind: ledger.Kind(c.Kind), Key: c.Key, Source: "model", TradeDate: ledger.Date(c.TradeDate), SettleDate: ledger.Date(c.SettleDate),
		EffectiveDate: ledger.Date(c.EffectiveDate), Fields: c.Fields,
	}
	target := func(r *modeltest.Ref) *ledger.Target {
		switch {
		case r == nil:
			return nil
		case r.ByID:
			return &ledger.Target{Trade: find(r.Key)}
		case r.Or != "":
			return &ledger.Target{Key: r.Key, Trade: find(r.Or)}
		}
		return &ledger.Target{Key: r.Key}
	}
	out.Target, out.Replaces = target(c.Target), target(c.Replaces)
	if out.Replaces != nil {
		out.Replaces.Link, out.Replaces.UnlessSettled = c.Link, c.Unsettled
	}
	if out.Target != nil {
		out.Target.UnlessSettled = c.Unsettled
	}
	for _, l := range c.Legs {
		p := ledger.PostingRequest{Account: ledger.AccountRef{Code: l.Account}, Instrument: identifier(l.Instrument), Quantity: ledger.MustAmount(l.Quantity)}
		if l.Bucket != "" {
			p.Bucket = ledger.Bucket(l.Bucket[0])
		}
		out.Postings = append(out.Postings, p)
	}
	if t := c.Trade; t != nil {
		out.Trade = &ledger.Trade{
			ExecutedAt: time.Date(2013, 10, 7, 14, 30, 0, 0, time.UTC), ClientTradeID: c.Key, Account: ledger.AccountRef{Code: t.Account},
			Direction: ledger.Direction(t.Direction), Short: t.Short, Quantity: ledger.MustAmount(t.Quantity), Price: ledger.MustAmount(t.Price),
			Instrument: identifier(t.Security), Currency: t.Currency, Capacity: "agency", OmitSEC: t.OmitSEC, OmitTAF: t.OmitTAF,
			Commission: amountOrZero(t.Commission), Accrued: amountOrZero(t.Accrued),
		}
		switch c.Kind {
		case "trade.exchange":
			out.Trade.MIC, out.Trade.ExecMPID = "XNYS", "EXEC"
		case "trade.bilateral", "trade.away":
			out.Trade.ExecMPID, out.Trade.ContraMPID, out.Trade.ContraClearingNum = "EXEC", t.Contra, "0352"
		default:
			out.Trade.Target = ledger.AccountRef{Code: t.Target}
		}
	}
	return out
}

func amountOrZero(text string) ledger.Amount {
	if text == "" {
		return ledger.Amount{}
	}
	return ledger.MustAmount(text)
}
