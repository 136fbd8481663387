package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/bkledger/bk/compat/bank"
)

// post books trades in one call. It gives the ids where the call was accepted.
func (p *player) post(ctx context.Context, what string, trades []obj, tokens ...string) ([]bank.Booked, string, answer, error) {
	r := request{method: http.MethodPost, path: "/trades", body: encode(trades)}
	a, token, err := p.expect(ctx, what, r, tokens...)
	if err != nil || token != "202" {
		return nil, token, a, err
	}
	var booked []bank.Booked
	if err := json.Unmarshal(a.body, &booked); err != nil || len(booked) != len(trades) {
		p.surprise("%s: %d trades were answered with %s", what, len(trades), a.short())
		return nil, "", a, nil
	}
	for i, b := range booked {
		if b.ClientTradeID != trades[i]["client_trade_id"] || b.TradeID <= 0 {
			p.surprise("%s: trade %v was answered with %v", what, trades[i]["client_trade_id"], b)
			return nil, "", a, nil
		}
	}
	return booked, token, a, nil
}

// fresh takes trades in that were booked for the first time: their ids go up, call by call.
func (p *player) fresh(share bool, trades []*sent, booked []bank.Booked) {
	for i, s := range trades {
		id := booked[i].TradeID
		if id <= p.last {
			p.surprise("trade %s of account %d got id %d, after %d", s.clientID, s.account, id, p.last)
		}
		p.last = id
		p.enter(s, id, share)
	}
}

// book books one trade or some, in one call; of some, one may correct another, and one may stand there twice.
func (p *player) book(ctx context.Context) error {
	n := 1
	switch x := p.Float64() * 100; {
	case x < 3:
		n = 20 + p.IntN(40)
	case x < 30:
		n = 2 + p.IntN(7)
	}
	trades, bodies := make([]*sent, n), make([]obj, n)
	for i := range n {
		trades[i] = p.trade(p.anyAccount())
		bodies[i] = trades[i].body
	}
	tokens := []string{"202"}
	if n > 2 && p.percent(20) {
		replaced, by := trades[0], p.trade(trades[0].account)
		by.body["cancel_trade_id"] = replaced.clientID
		trades[n-1], bodies[n-1] = by, by.body
		replaced.touched, replaced.canceled = 1, true
		tokens = append(tokens, "409 trade_settled") // it may be as late as that
	}
	twice := n > 1 && p.percent(10)
	if twice {
		bodies = append(bodies, p.variant(trades[1].body))
	}
	booked, token, _, err := p.post(ctx, "book", bodies, tokens...)
	if err != nil || token != "202" {
		return err
	}
	if twice && booked[n].TradeID != booked[1].TradeID {
		p.surprise("the same trade twice in a call got the ids %d and %d", booked[1].TradeID, booked[n].TradeID)
	}
	p.fresh(true, trades, booked)
	if p.percent(25) {
		return p.readBack(ctx, trades[p.IntN(n)])
	}
	return nil
}

// correct books a trade that replaces another: one of the last, often one that replaces one itself, sometimes one that is cancelled.
func (p *player) correct(ctx context.Context) error {
	replaced, ok := p.choose(p.dice)
	if !ok {
		return p.book(ctx)
	}
	by := p.trade(replaced.account)
	by.body["cancel_trade_id"] = replaced.clientID
	if digits := replaced.id.String(); p.percent(30) && p.claim(replaced.account, digits) { // else a client's id says something else
		by.body["cancel_trade_id"] = pick[any](p.dice, digits, int64(replaced.id))
	}
	before := p.touch(replaced)
	tokens := []string{"202", "409 trade_settled"}
	switch {
	case before.canceled:
		tokens = []string{"202"}
	case before.settled:
		tokens = []string{"409 trade_settled"}
	}
	trades, bodies := []*sent{by}, []obj{by.body}
	if p.percent(20) {
		more := p.trade(p.anyAccount())
		trades, bodies = append(trades, more), append(bodies, more.body)
	}
	booked, token, _, err := p.post(ctx, "correct", bodies, tokens...)
	if err != nil || token == "" {
		return err
	}
	p.learn(replaced, token == "202", token != "202")
	if token != "202" {
		return p.absent(ctx, trades[len(trades)-1])
	}
	p.fresh(true, trades, booked)
	if p.percent(25) {
		return p.readBack(ctx, replaced)
	}
	if p.percent(25) {
		return p.readBack(ctx, by)
	}
	return nil
}

// repeat sends a trade that was booked once more, as it was or written in another way, and sometimes a new one with it.
func (p *player) repeat(ctx context.Context) error {
	s, ok := p.choose(p.dice)
	if !ok {
		return p.book(ctx)
	}
	what, body := "repeat", s.body
	if p.percent(40) {
		what, body = "repeat written in another way", p.variant(s.body)
	}
	bodies := []obj{body}
	var more *sent
	if p.percent(25) {
		more = p.trade(p.anyAccount())
		bodies = append(bodies, more.body)
	}
	booked, token, _, err := p.post(ctx, what, bodies, "202")
	if err != nil || token == "" {
		return err
	}
	if booked[0].TradeID != s.id {
		p.surprise("%s: trade %s of account %d has id %d, now %d", what, s.clientID, s.account, s.id, booked[0].TradeID)
	}
	if more != nil {
		p.fresh(true, []*sent{more}, booked[1:])
	}
	return nil
}

// conflict sends other content under ids that are taken; what stands beside it is not booked.
func (p *player) conflict(ctx context.Context) error {
	s, ok := p.choose(p.dice)
	if !ok {
		return p.book(ctx)
	}
	bodies := []obj{p.other(s.body)}
	var beside *sent
	if p.percent(30) {
		beside = p.trade(p.anyAccount())
		bodies = append([]obj{beside.body}, bodies...)
	}
	if _, _, _, err := p.post(ctx, "conflict", bodies, "409 client_trade_id_conflict"); err != nil || beside == nil {
		return err
	}
	return p.absent(ctx, beside)
}

// absent makes sure that a trade has not been booked.
func (p *player) absent(ctx context.Context, s *sent) error {
	_, _, err := p.expect(ctx, "read what was refused", byClientID(s), "404 trade_not_found")
	return err
}

func byClientID(s *sent) request {
	return get("/trades?account_id=%d&client_trade_id=%s", s.account, url.QueryEscape(s.clientID))
}

// readBack reads a trade that was booked, and compares it with what was sent.
func (p *player) readBack(ctx context.Context, s *sent) error {
	r := get("/trades/%d", s.id)
	if p.percent(40) {
		r = byClientID(s)
	}
	before := p.know(s)
	a, token, err := p.expect(ctx, "read a trade", r, "200")
	if err != nil || token == "" {
		return err
	}
	if fault := p.likeSent(s, before, a.body); fault != nil {
		p.surprise("%s: %v: sent %s, got %s", r, fault, encode(s.body), a.body)
	}
	return nil
}

// likeSent says what is wrong with a stored trade.
func (p *player) likeSent(s *sent, before facts, text []byte) error {
	var stored bank.StoredTrade
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	asked, err := bank.ReadTrade(encode(s.body))
	if err != nil {
		return err
	}
	want, got := encode(asked), encode(stored.Trade)
	gross := bank.Decimal{Decimal: asked.Quantity.Mul(asked.Price.Decimal)}
	switch {
	case stored.TradeID != s.id:
		return fmt.Errorf("it has the id %d", stored.TradeID)
	case string(want) != string(got):
		return fmt.Errorf("it is not what was sent: %s", want)
	case before.canceled && stored.State != bank.StateCanceled:
		return fmt.Errorf("it was cancelled, and is %s", stored.State)
	case before.settled && stored.State != bank.StateSettled:
		return fmt.Errorf("it was settled, and is %s", stored.State)
	case (stored.State == bank.StateCanceled) != (stored.CanceledAt != nil):
		return fmt.Errorf("it is %s and cancelled at %v", stored.State, stored.CanceledAt)
	case stored.State == bank.StateCanceled && p.know(s).touched == 0:
		return fmt.Errorf("nobody has cancelled it")
	case !stored.GrossAmount.Equal(gross.Decimal):
		return fmt.Errorf("its gross amount is %s, not %s", stored.GrossAmount, gross)
	case (stored.Replaces != nil) != (asked.CancelTradeID != ""):
		return fmt.Errorf("it replaces %v", stored.Replaces)
	}
	return nil
}
