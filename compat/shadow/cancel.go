package shadow

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/bkledger/bk/compat/bank"
)

// cancel cancels one of the last trades, by either id.
func (p *player) cancel(ctx context.Context) error {
	s, ok := p.choose(p.dice)
	if !ok {
		return p.book(ctx)
	}
	return p.cancelOf(ctx, s)
}

// cancelOf cancels a trade, and often does so again where that was accepted.
func (p *player) cancelOf(ctx context.Context, s *sent) error {
	before := p.touch(s)
	r := p.cancelRequest(s)
	a, err := p.ask(ctx, r)
	if err != nil {
		return err
	}
	tokens := []string{"202", "409 trade_settled"}
	switch {
	case before.canceled:
		tokens = []string{"409 trade_already_canceled"}
	case before.settled:
		tokens = []string{"409 trade_settled"}
	case p.know(s).touched > 1 || a.retried: // somebody else's, or our own first try
		tokens = append(tokens, "409 trade_already_canceled")
	}
	token := p.judge("cancel", r, a, tokens...)
	if token == "" {
		return nil
	}
	settled := token == "409 trade_settled"
	p.learn(s, !settled, settled)
	if token == "202" && p.percent(30) {
		return p.cancelOf(ctx, s)
	}
	if p.percent(25) {
		return p.readBack(ctx, s)
	}
	return nil
}

func (p *player) cancelRequest(s *sent) request {
	path := "/trades/" + s.id.String()
	if p.percent(50) {
		path = "/trades/" + url.PathEscape(s.clientID) + "?is_client_trade_id=true&account_id=" + s.account.String()
	}
	return request{method: http.MethodDelete, path: path}
}

// ownBook books trades of the client's own account, or cancels one, and reads the position, which nobody else changes.
func (p *player) ownBook(ctx context.Context) error {
	if len(p.own.trades) > 0 && p.percent(30) {
		return p.ownCancel(ctx)
	}
	s := &sent{account: p.own.account, body: p.dice.trade(p.own.account, p.anyAccount(), p.today())}
	p.name(s)
	s.body["date"] = int(plusDays(p.today(), -p.IntN(maxLate)))
	delete(s.body, "settlement")
	booked, token, _, err := p.post(ctx, "book to the own account", []obj{s.body}, "202")
	if err != nil || token == "" {
		return err
	}
	p.fresh(false, []*sent{s}, booked)
	if p.own.trades = append(p.own.trades, s); len(p.own.trades) > ownTrades {
		p.own.trades = p.own.trades[1:]
	}
	return p.ownPosition(ctx, s, 1)
}

func (p *player) ownCancel(ctx context.Context) error {
	i := p.IntN(len(p.own.trades))
	s := p.own.trades[i]
	p.own.trades = append(p.own.trades[:i:i], p.own.trades[i+1:]...)
	r := p.cancelRequest(s)
	a, err := p.ask(ctx, r)
	if err != nil {
		return err
	}
	tokens := []string{"202", "409 trade_settled"}
	if a.retried {
		tokens = append(tokens, "409 trade_already_canceled")
	}
	switch token := p.judge("cancel of the own account", r, a, tokens...); token {
	case "":
		return nil
	case "409 trade_settled":
		return p.ownPosition(ctx, s, 0)
	}
	return p.ownPosition(ctx, s, -1)
}

// ownPosition moves the position as a trade, or its cancel (-1), does, and reads it.
func (p *player) ownPosition(ctx context.Context, s *sent, times int64) error {
	trade, err := bank.ReadTrade(encode(s.body))
	if err != nil {
		return err
	}
	symbol := trade.Instrument.Identifier
	if trade.Side.Direction == bank.Sell {
		times = -times
	}
	position := p.own.position[symbol]
	switch times {
	case 1:
		position = bank.Decimal{Decimal: position.Add(trade.Quantity.Decimal)}
	case -1:
		position = bank.Decimal{Decimal: position.Sub(trade.Quantity.Decimal)}
	}
	p.own.position[symbol] = position
	r := get("/accounts/%d/positions/%s", p.own.account, url.PathEscape(symbol))
	want := "200"
	if position.IsZero() {
		want = "404 position_not_found"
	}
	a, token, err := p.expect(ctx, "read the own position", r, want)
	if err != nil || token != "200" {
		return err
	}
	var got bank.Position
	if err := json.Unmarshal(a.body, &got); err != nil || got.AccountID != p.own.account || got.Symbol != symbol || got.Quantity.String() != position.String() {
		p.surprise("%s: %s, not %s, after %s", r, a.short(), position, encode(s.body))
	}
	return nil
}
