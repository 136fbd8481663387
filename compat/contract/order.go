package contract

import "strings"

// orderCases: which of two faults answers.
func orderCases() []testCase {
	return []testCase{
		{"first fault: shapes are checked by index", func(c *client) {
			account := c.account()
			c.post("/trades", []obj{c.trade(exchange, account, "price", "x"), c.trade(exchange, account, "quantity", "x")}).fails(400, "malformed_trade", "trades[0].price:")
			c.post("/trades", []obj{c.trade(exchange, account), c.trade(exchange, account, "mic", 5), c.trade(exchange, account, "date", 5)}).fails(400, "malformed_trade", "trades[1].mic:")
		}},
		{"first fault: not JSON before a malformed trade", func(c *client) {
			c.post("/trades", `[{"type":"swap"}, {"type"`).fails(400, "malformed_request")
		}},
		{"first fault: a malformed trade before too many", func(c *client) {
			trades := c.many(1001, c.account(), nil)
			edit(trades[1000], "quantity", "0")
			c.post("/trades", trades).fails(400, "malformed_trade", "trades[1000].quantity:")
		}},
		{"first fault: too many before an unknown account", func(c *client) {
			c.post("/trades", c.many(1001, c.number(), nil)).fails(400, "too_many_trades")
		}},
		{"first fault: a malformed trade before a conflict", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			c.one(t)
			c.post("/trades", []obj{changed(t, "quantity", "5"), c.trade(exchange, account, "price", "-1")}).fails(400, "malformed_trade", "trades[1].price:")
		}},
		{"first fault: a malformed trade before an unknown account", func(c *client) {
			c.post("/trades", []obj{c.trade(exchange, c.number()), c.trade(exchange, c.account(), "price", "-1")}).fails(400, "malformed_trade", "trades[1].price:")
		}},
		{"first fault: a malformed trade before a replaced one", func(c *client) {
			account := c.account()
			c.post("/trades", []obj{c.trade(exchange, account, "cancel_trade_id", "never"), c.trade(exchange, account, "price", "-1")}).fails(400, "malformed_trade", "trades[1].price:")
		}},
		{"first fault: conflict, then an unknown account", func(c *client) {
			t := c.trade(exchange, c.account())
			c.one(t)
			c.post("/trades", []obj{changed(t, "quantity", "5"), c.trade(exchange, c.number())}).fails(409, "client_trade_id_conflict")
		}},
		{"first fault: an unknown account, then a conflict", func(c *client) {
			t := c.trade(exchange, c.account())
			c.one(t)
			c.post("/trades", []obj{c.trade(exchange, c.number()), changed(t, "quantity", "5")}).fails(422, "unknown_account")
		}},
		{"first fault: a replaced trade, then a conflict", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			c.one(t)
			c.post("/trades", []obj{c.trade(exchange, account, "cancel_trade_id", "never"), changed(t, "quantity", "5")}).fails(404, "trade_not_found")
		}},
		{"first fault: a replaced trade, then an unknown account", func(c *client) {
			account := c.account()
			c.post("/trades", []obj{c.trade(exchange, account, "cancel_trade_id", "never"), c.trade(exchange, c.number())}).fails(404, "trade_not_found")
		}},
		{"first fault: an unknown account, then a replaced trade", func(c *client) {
			account := c.account()
			c.post("/trades", []obj{c.trade(exchange, c.number()), c.trade(exchange, account, "cancel_trade_id", "never")}).fails(422, "unknown_account")
		}},
		{"first fault: of one trade, conflict before an unknown target", func(c *client) {
			a, b := c.two()
			t := c.trade(transfer, a, "target_account_id", b)
			c.one(t)
			c.post("/trades", []obj{changed(t, "target_account_id", c.number())}).fails(409, "client_trade_id_conflict")
		}},
		{"first fault: of one trade, conflict before what it replaces", func(c *client) {
			t := c.trade(exchange, c.account())
			c.one(t)
			c.post("/trades", []obj{changed(t, "cancel_trade_id", "never")}).fails(409, "client_trade_id_conflict")
		}},
		{"first fault: of one trade, an unknown account before what it replaces", func(c *client) {
			c.post("/trades", []obj{c.trade(transfer, c.account(), "target_account_id", c.number(), "cancel_trade_id", "never")}).fails(422, "unknown_account")
			c.post("/trades", []obj{c.trade(exchange, c.number(), "cancel_trade_id", "never")}).fails(422, "unknown_account")
		}},
		{"first fault: a repeat is none", func(c *client) {
			t := c.trade(exchange, c.account())
			c.one(t)
			c.post("/trades", []obj{t, t, c.trade(exchange, c.number())}).fails(422, "unknown_account")
		}},
		{"first fault: a bad query before an unknown account", func(c *client) {
			for _, list := range []string{"trades", "positions", "journal"} {
				c.get("/accounts/%d/%s?page_size=0", c.number(), list).fails(400, "malformed_request")
				c.get("/accounts/%d/%s?page_token=!", c.number(), list).fails(400, "malformed_request")
			}
			c.get("/accounts/%d/trades?date=1", c.number()).fails(400, "malformed_request")
			c.get("/accounts/%d/trades?state=x", c.number()).fails(400, "malformed_request")
		}},
		{"first fault: a bad account id before a missing one", func(c *client) {
			c.delete("/trades/x?is_client_trade_id=true&account_id=abc").fails(400, "malformed_request")
		}},
		{"message: element and field of a deep field in a long call", func(c *client) {
			trades := c.many(130, c.account(), nil)
			edit(trades[127], "settlement.date", 20130230)
			c.post("/trades", trades).fails(400, "malformed_trade", "trades[127].settlement.date:")
			c.unbooked(trades[0])
		}},
		{"message: never empty and in one piece", func(c *client) {
			a := c.get("/trades/abc")
			a.fails(400, "malformed_request")
			if message := a.object()["message"].(string); strings.ContainsAny(message, "\n\t") {
				c.Fatalf("%q", message)
			}
		}},
	}
}
