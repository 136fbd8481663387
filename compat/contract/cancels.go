package contract

import (
	"net/url"
	"time"
)

// cancelCases: DELETE /trades.
func cancelCases() []testCase {
	return []testCase{
		{"cancel: by id", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "10", "2", "fees.commission", "1"))
			c.delete("/trades/%s", id).is(202, `{}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled","net_amount":"-21","replaced_by":null}`)
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
			c.get("/accounts/%d/balances", account).is(200, `{"data":[{"currency":"USD","trade_cash":"0","settled_cash":"0","unsettled_debits":"0","unsettled_credits":"0"}]}`)
		}},
		{"cancel: canceled_at is the time of the cancel", func(c *client) {
			id := c.one(c.trade(exchange, c.account()))
			c.delete("/trades/%s", id).status(202)
			t := c.get("/trades/%s", id).status(200).object()
			if at := number(t["canceled_at"]); at < number(t["booked_at"]) || at > time.Now().Add(time.Minute).UnixMilli() {
				c.Fatalf("booked at %v, cancelled at %v", t["booked_at"], t["canceled_at"])
			}
		}},
		{"cancel: by client id", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			id := c.one(t)
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", t["client_trade_id"], account).is(202, `{}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
		}},
		{"cancel: by a client id of any characters", func(c *client) {
			account := c.account()
			for _, clientID := range []string{"a b", "a/b", "a%2Fb", "50%", "ü?&=#", "../x"} {
				id := c.one(c.trade(exchange, account, "client_trade_id", clientID))
				c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", url.PathEscape(clientID), account).is(202, `{}`)
				c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			}
		}},
		{"cancel: is_client_trade_id=false means an id", func(c *client) {
			id := c.one(c.trade(exchange, c.account()))
			c.delete("/trades/%s?is_client_trade_id=false", id).is(202, `{}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
		}},
		{"cancel: by id, whatever account is named", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(exchange, a))
			c.delete("/trades/%s?account_id=%d", id, b).is(202, `{}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
		}},
		{"cancel: digits as a client id", func(c *client) {
			account := c.account()
			other := c.one(c.trade(exchange, account))
			id := c.one(c.trade(exchange, account, "client_trade_id", other))
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", other, account).is(202, `{}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			c.get("/trades/%s", other).has(200, `{"state":"open"}`)
		}},
		{"cancel: by client id without an account", func(c *client) {
			t := c.trade(exchange, c.account())
			c.one(t)
			c.delete("/trades/%s?is_client_trade_id=true", t["client_trade_id"]).fails(400, "missing_account_id")
			c.find(number(t["account_id"]), t["client_trade_id"]).has(200, `{"state":"open"}`)
		}},
		{"cancel: an id that is none", func(c *client) {
			for _, id := range []string{"abc", "1.5", "-1"} {
				c.delete("/trades/%s", id).fails(400, "malformed_request")
			}
		}},
		{"cancel: a query that is none", func(c *client) {
			id := c.one(c.trade(exchange, c.account()))
			c.delete("/trades/%s?is_client_trade_id=maybe", id).fails(400, "malformed_request")
			c.delete("/trades/%s?is_client_trade_id=true&account_id=x", id).fails(400, "malformed_request")
			c.get("/trades/%s", id).has(200, `{"state":"open"}`)
		}},
		{"cancel: an unknown trade", func(c *client) {
			c.delete("/trades/9000000000000000000").fails(404, "trade_not_found")
			c.delete("/trades/never?is_client_trade_id=true&account_id=%d", c.account()).fails(404, "trade_not_found")
		}},
		{"cancel: another account's client id", func(c *client) {
			a, b := c.two()
			t := c.trade(transfer, a, "target_account_id", b)
			id := c.one(t)
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", t["client_trade_id"], b).fails(404, "trade_not_found")
			c.get("/trades/%s", id).has(200, `{"state":"open"}`)
		}},
		{"cancel: again", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			id := c.one(t)
			c.delete("/trades/%s", id).status(202)
			at := c.get("/trades/%s", id).status(200).object()["canceled_at"]
			c.delete("/trades/%s", id).fails(409, "trade_already_canceled")
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", t["client_trade_id"], account).fails(409, "trade_already_canceled")
			c.get("/trades/%s", id).has(200, `{"canceled_at":%v}`, at)
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
		}},
		{"cancel: of a replaced trade", func(c *client) {
			account := c.account()
			old := c.trade(exchange, account)
			ids := c.book(old, c.trade(exchange, account, "cancel_trade_id", old["client_trade_id"]))
			c.delete("/trades/%s", ids[0]).fails(409, "trade_already_canceled")
			c.delete("/trades/%s", ids[1]).is(202, `{}`)
			c.get("/trades/%s", ids[0]).has(200, `{"state":"canceled","replaced_by":%q}`, ids[1])
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
		}},
		{"cancel: a trade between two accounts", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(allocation, a, "target_account_id", b, "fees.commission", "5"))
			c.delete("/trades/%s", id).is(202, `{}`)
			for _, account := range []int64{a, b} {
				c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[]}`)
				c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":"0","unsettled_debits":"0","unsettled_credits":"0"}]}`)
			}
		}},
		{"cancel: one of several", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "10", "1"), c.buy(account, "20", "1"), c.sell(account, "5", "1"))
			c.delete("/trades/%s", ids[1]).status(202)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"5"}]}`)
			c.get("/accounts/%d/trades/%s", account, ids[2]).has(200, `{"running_position":"25"}`)
		}},
	}
}
