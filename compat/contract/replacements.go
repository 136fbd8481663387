package contract

// replacementCases: cancel_trade_id.
func replacementCases() []testCase {
	linked := func(c *client, old, new string) {
		c.Helper()
		c.get("/trades/%s", old).has(200, `{"state":"canceled","replaced_by":%q}`, new)
		c.get("/trades/%s", new).has(200, `{"state":"open","replaces":%q,"canceled_at":null,"replaced_by":null}`, old)
	}
	return []testCase{
		{"replace: by client id", func(c *client) {
			account := c.account()
			old := c.buy(account, "10", "2")
			first := c.one(old)
			second := c.one(c.buy(account, "7", "3", "cancel_trade_id", old["client_trade_id"]))
			linked(c, first, second)
			c.get("/trades/%s", second).has(200, `{"cancel_trade_id":%q}`, old["client_trade_id"])
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"7"}]}`)
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":"-21"}]}`)
		}},
		{"replace: by trade id", func(c *client) {
			account := c.account()
			first := c.one(c.buy(account, "10", "2"))
			linked(c, first, c.one(c.buy(account, "7", "3", "cancel_trade_id", first)))
		}},
		{"replace: by trade id as a number", func(c *client) {
			account := c.account()
			first := c.one(c.buy(account, "10", "2"))
			linked(c, first, c.one(c.buy(account, "7", "3", "cancel_trade_id", number(first))))
		}},
		{"replace: a client id before a trade id", func(c *client) {
			account := c.account()
			byID := c.one(c.buy(account, "10", "2"))
			byName := c.one(c.buy(account, "20", "2", "client_trade_id", byID))
			linked(c, byName, c.one(c.buy(account, "7", "3", "cancel_trade_id", byID)))
			c.get("/trades/%s", byID).has(200, `{"state":"open","replaced_by":null}`)
		}},
		{"replace: a cancelled trade is only linked", func(c *client) {
			account := c.account()
			first := c.one(c.buy(account, "10", "2"))
			c.delete("/trades/%s", first).status(202)
			at := c.get("/trades/%s", first).status(200).object()["canceled_at"]
			second := c.one(c.buy(account, "7", "3", "cancel_trade_id", first))
			linked(c, first, second)
			c.get("/trades/%s", first).has(200, `{"canceled_at":%v}`, at)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"7"}]}`)
			if rows := c.walk("/accounts/"+say(account)+"/journal", 100, nil); len(rows) != 3 {
				c.Fatalf("journal: %v", rows)
			}
		}},
		{"replace: what was never booked", func(c *client) {
			account := c.account()
			for _, id := range []any{"never", "9000000000000000000", 9000000000000000} {
				t := c.trade(exchange, account, "cancel_trade_id", id)
				c.post("/trades", []obj{t}).fails(404, "trade_not_found")
				c.unbooked(t)
			}
		}},
		{"replace: never booked refuses the whole call", func(c *client) {
			account := c.account()
			good, bad := c.trade(exchange, account), c.trade(exchange, account, "cancel_trade_id", "never")
			c.post("/trades", []obj{good, bad}).fails(404, "trade_not_found")
			c.unbooked(good, bad)
		}},
		{"replace: earlier in the same call, by client id", func(c *client) {
			account := c.account()
			old := c.buy(account, "10", "2")
			ids := c.book(old, c.buy(account, "7", "3", "cancel_trade_id", old["client_trade_id"]))
			linked(c, ids[0], ids[1])
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"7"}]}`)
		}},
		{"replace: later in the same call was never booked", func(c *client) {
			account := c.account()
			late := c.trade(exchange, account)
			early := c.trade(exchange, account, "cancel_trade_id", late["client_trade_id"])
			c.post("/trades", []obj{early, late}).fails(404, "trade_not_found")
			c.unbooked(early, late)
		}},
		{"replace: itself was never booked", func(c *client) {
			t := c.trade(exchange, c.account())
			t["cancel_trade_id"] = t["client_trade_id"]
			c.post("/trades", []obj{t}).fails(404, "trade_not_found")
			c.unbooked(t)
		}},
		{"replace: another account's trade", func(c *client) {
			a, b := c.two()
			other := c.trade(exchange, b)
			id := c.one(other)
			c.post("/trades", []obj{c.trade(exchange, a, "cancel_trade_id", other["client_trade_id"])}).fails(404, "trade_not_found")
			c.post("/trades", []obj{c.trade(exchange, a, "cancel_trade_id", id)}).fails(404, "trade_not_found")
			c.get("/trades/%s", id).has(200, `{"state":"open"}`)
		}},
		{"replace: a trade of which the account is the target", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(transfer, a, "target_account_id", b))
			c.post("/trades", []obj{c.trade(exchange, b, "cancel_trade_id", id)}).fails(404, "trade_not_found")
			c.get("/trades/%s", id).has(200, `{"state":"open"}`)
		}},
		{"replace: again and again", func(c *client) {
			account := c.account()
			a := c.buy(account, "1", "1")
			b := c.buy(account, "2", "1", "cancel_trade_id", a["client_trade_id"])
			d := c.buy(account, "3", "1", "cancel_trade_id", b["client_trade_id"])
			ids := append(append(c.book(a), c.book(b)...), c.book(d)...)
			c.get("/trades/%s", ids[0]).has(200, `{"state":"canceled","replaced_by":%q,"replaces":null}`, ids[1])
			c.get("/trades/%s", ids[1]).has(200, `{"state":"canceled","replaced_by":%q,"replaces":%q}`, ids[2], ids[0])
			c.get("/trades/%s", ids[2]).has(200, `{"state":"open","replaced_by":null,"replaces":%q}`, ids[1])
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"3"}]}`)
		}},
		{"replace: a trade between two accounts by one with another target", func(c *client) {
			a, b := c.two()
			d := c.account()
			old := c.trade(transfer, a, "target_account_id", b)
			first := c.one(old)
			second := c.one(c.trade(transfer, a, "target_account_id", d, "quantity", "30", "cancel_trade_id", old["client_trade_id"]))
			linked(c, first, second)
			c.get("/accounts/%d/positions", a).has(200, `{"data":[{"quantity":"30"}]}`)
			c.get("/accounts/%d/positions", b).is(200, `{"data":[]}`)
			c.get("/accounts/%d/positions", d).has(200, `{"data":[{"quantity":"-30"}]}`)
		}},
		{"replace: with another symbol", func(c *client) {
			account := c.account()
			old := c.buy(account, "10", "2")
			first := c.one(old)
			linked(c, first, c.one(c.buy(account, "4", "5", "instrument.identifier", "MSFT", "cancel_trade_id", old["client_trade_id"])))
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"symbol":"MSFT","quantity":"4"}]}`)
		}},
		{"replace: the old one's rows come first", func(c *client) {
			account := c.account()
			old := c.buy(account, "10", "2")
			first := c.one(old)
			second := c.one(c.buy(account, "7", "3", "cancel_trade_id", old["client_trade_id"]))
			c.journal(account, "0 "+first+" AAPL USD open 10 -20 0 0", "0 "+first+" AAPL USD cancel -10 20 0 0", "0 "+second+" AAPL USD open 7 -21 0 0")
			c.get("/accounts/%d/trades/%s", account, second).has(200, `{"running_position":"7"}`)
		}},
	}
}
