package shadow

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)

// bad makes a request that has to be refused, and changes nothing.
func (p *player) bad(ctx context.Context) error {
	account := p.anyAccount()
	unknown := int64(p.traffic.FirstAccount) - 1
	post := func(body string) request {
		return request{method: http.MethodPost, path: "/trades", body: []byte(body)}
	}
	// spoiled is a new trade with another value in a field; nil takes the field away.
	spoiled := func(field string, value any) request {
		t := p.trade(account).body
		if value == nil {
			delete(t, field)
		} else {
			t[field] = value
		}
		bodies := []obj{t}
		if p.percent(30) {
			bodies = []obj{p.trade(p.anyAccount()).body, t}
		}
		return post(string(encode(bodies)))
	}
	remove := func(path string) request { return request{method: http.MethodDelete, path: path} }
	var r request
	var token string
	switch p.IntN(22) {
	case 0:
		r, token = post(`[{"type":`), "400 malformed_request"
	case 1:
		r, token = post(`{}`), "400 malformed_request"
	case 2:
		r, token = post(`[]`), "400 too_many_trades"
	case 3:
		r, token = spoiled(pick(p.dice, "type", "timestamp", "date", "quantity", "price", "instrument", "side", "account_id"), nil), "400 malformed_trade"
	case 4:
		r, token = spoiled("quantity", pick[any](p.dice, "0", "-1", 10, "1e3", "1.00000000001", "1234567890123456789", "")), "400 malformed_trade"
	case 5:
		r, token = spoiled("price", pick[any](p.dice, "-0.01", 1.5, "a", "0.12345678901")), "400 malformed_trade"
	case 6:
		r, token = spoiled("date", pick[any](p.dice, 20131301, 20130230, "20131007x", 19990101)), "400 malformed_trade"
	case 7:
		r, token = spoiled("side", pick[any](p.dice, obj{}, obj{"direction": "hold"}, obj{"direction": "buy", "qualifier": "short"}, "buy")), "400 malformed_trade"
	case 8:
		r, token = spoiled("settlement", obj{"date": 20010101}), "400 malformed_trade"
	case 9:
		r, token = spoiled("account_id", unknown), "422 unknown_account"
	case 10:
		r, token = spoiled("cancel_trade_id", pick(p.dice, "never-booked", "99999999999")), "404 trade_not_found"
	case 11:
		r, token = spoiled("fees", obj{"commission": "x"}), "400 malformed_trade"
	case 12:
		r, token = remove("/trades/99999999999"), "404 trade_not_found"
	case 13:
		r, token = remove("/trades/some-name"), "400 malformed_request"
	case 14:
		r, token = remove("/trades/some-name?is_client_trade_id=true"), "400 missing_account_id"
	case 15:
		r, token = remove("/trades/some-name?is_client_trade_id=true&account_id="+account.String()), "404 trade_not_found"
	case 16:
		r, token = get("/accounts/%d/%s", unknown, pick(p.dice, "trades", "positions", "balances", "journal")), "404 account_not_found"
	case 17:
		r, token = get("/accounts/%d/%s", account, pick(p.dice, "trades?page_size=0", "journal?page_size=1001", "journal?page_token=xyz", "trades?state=gone", "trades?date=20131301")),
			"400 malformed_request"
	case 18:
		r, token = get("/accounts/%d/positions/NOTHELD", account), "404 position_not_found"
	case 19:
		r, token = request{method: http.MethodPut, path: "/trades"}, "405 method_not_allowed"
	case 20:
		r, token = get("/no/such/route"), "404 not_found"
	default:
		t := p.trade(account).body
		bodies := strings.Repeat(string(encode(t))+",", 1000) + string(encode(t))
		if len(bodies) > 4<<20 { // one with a long text
			bodies = strings.Repeat(`{"type":`+strconv.Quote("x")+"},", 10) + `{}`
			r, token = post("["+bodies+"]"), "400 malformed_trade"
			break
		}
		r, token = post("["+bodies+"]"), "400 too_many_trades"
	}
	_, _, err := p.expect(ctx, "bad request", r, token)
	return err
}
