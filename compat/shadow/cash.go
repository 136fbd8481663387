package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/bkledger/bk/compat/bank"
)

// cash moves cash in all ways, again, and wrongly.
func (p *player) cash(ctx context.Context) error {
	if moved, ok := p.chooseMoved(); ok && p.percent(30) {
		return p.cashAgain(ctx, moved)
	}
	account := p.anyAccount()
	p.moves++
	body := obj{
		"client_id": fmt.Sprintf("s%d-cash-%d-%d", p.traffic.Seed, p.number, p.moves), "account_id": int64(account), "currency": pick(p.dice, "USD", "USD", "EUR", "JPY", "CHF"),
		"amount": fmt.Sprintf("%d.%02d", p.IntN(100_000), 1+p.IntN(99)), "kind": pick(p.dice, bank.Deposit, bank.Withdrawal, bank.CashJournal),
	}
	if body["kind"] == bank.CashJournal {
		body["target_account_id"] = p.another(account).String()
	}
	if p.percent(15) {
		return p.badCash(ctx, body)
	}
	r := cashRequest(encode(body))
	a, token, err := p.expect(ctx, "cash", r, "202")
	if err != nil || token == "" {
		return err
	}
	id, ok := p.cashID(r, a)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := (movement{r.body, id}); len(p.moved) < remembered {
		p.moved = append(p.moved, m)
	} else {
		p.moved[p.IntN(remembered)] = m
	}
	return nil
}

func cashRequest(body []byte) request {
	return request{method: http.MethodPost, operations: true, path: "/cash", body: body}
}

func (p *player) cashID(r request, a answer) (bank.ID, bool) {
	var moved bank.Moved
	if err := json.Unmarshal(a.body, &moved); err != nil || moved.CashID <= 0 {
		p.surprise("cash: %s was answered with %s", r.body, a.short())
		return 0, false
	}
	return moved.CashID, true
}

func (p *player) chooseMoved() (movement, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.moved) == 0 {
		return movement{}, false
	}
	return pick(p.dice, p.moved...), true
}

// cashAgain repeats a movement, or has another one under its client's id.
func (p *player) cashAgain(ctx context.Context, m movement) error {
	if p.percent(60) {
		r := cashRequest(m.body)
		a, token, err := p.expect(ctx, "repeat cash", r, "202")
		if err != nil || token == "" {
			return err
		}
		if id, ok := p.cashID(r, a); ok && id != m.id {
			p.surprise("cash: %s has id %d, now %d", m.body, m.id, id)
		}
		return nil
	}
	var body obj
	if err := decode(m.body, &body); err != nil {
		return err
	}
	body["amount"] = "1" + body["amount"].(string)
	_, _, err := p.expect(ctx, "cash with other content", cashRequest(encode(body)), "409 conflict")
	return err
}

func (p *player) badCash(ctx context.Context, body obj) error {
	token := "400 malformed_request"
	switch p.IntN(5) {
	case 0:
		body["amount"] = "-1"
	case 1:
		body["currency"] = "usd"
	case 2:
		body["kind"] = "gift"
	case 3:
		delete(body, "client_id")
	default:
		body["account_id"], token = int64(p.traffic.FirstAccount)-1, "422 unknown_account"
	}
	_, _, err := p.expect(ctx, "bad cash", cashRequest(encode(body)), token)
	return err
}

// roll rolls the business date on, by a day or some, and asks for the same again, and for the day before.
func (p *player) roll(ctx context.Context) error {
	p.rolling.Lock()
	defer p.rolling.Unlock()
	p.mu.Lock()
	from := p.day
	p.mu.Unlock()
	to := p.traffic.FirstDay
	if from != 0 {
		to = plusDays(from, pick(p.dice, 1, 1, 1, 2, 3))
	}
	if err := p.rollTo(ctx, "roll", to, "202"); err != nil {
		return err
	}
	p.mu.Lock()
	p.day = to
	p.mu.Unlock()
	if err := p.rollTo(ctx, "roll to the same day", to, "202"); err != nil {
		return err
	}
	return p.rollTo(ctx, "roll back", plusDays(to, -1), "400 malformed_request")
}

func (p *player) rollTo(ctx context.Context, what string, day bank.Date, token string) error {
	r := request{method: http.MethodPost, operations: true, path: "/business-date", body: encode(obj{"date": int(day)})}
	a, got, err := p.expect(ctx, what, r, token)
	if err != nil || got != "202" {
		return err
	}
	var dated bank.Dated
	if err := json.Unmarshal(a.body, &dated); err != nil || dated.Date != day {
		p.surprise("%s to %d was answered with %s", what, day, a.short())
	}
	return nil
}
