package contract

// bookingCases: how many, in which order, all or none.
func bookingCases() []testCase {
	return []testCase{
		{"the answer", func(c *client) {
			t := c.trade(exchange, c.account())
			a := c.post("/trades", []obj{t})
			id := c.one(t)
			a.is(202, `[{"client_trade_id":%q,"trade_id":%q}]`, t["client_trade_id"], id)
		}},
		{"answers are in the order of the trades", func(c *client) {
			a, b := c.two()
			trades := []obj{c.trade(exchange, b), c.trade(exchange, a), c.trade(transfer, b, "target_account_id", a), c.trade(exchange, a)}
			ids := c.book(trades...)
			for i, t := range trades {
				c.get("/trades/%s", ids[i]).has(200, `{"trade_id":%q,"client_trade_id":%q,"account_id":"%d"}`, ids[i], t["client_trade_id"], t["account_id"])
			}
		}},
		{"trade ids ascend in a call", func(c *client) {
			if rows := c.post("/trades", c.many(50, c.account(), nil)).list(202); !ascending(rows, "trade_id") {
				c.Fatalf("%v", rows)
			}
		}},
		{"trade ids ascend from call to call", func(c *client) {
			var rows []obj
			account := c.account()
			for range 12 {
				rows = append(rows, c.post("/trades", c.many(3, account, nil)).list(202)...)
			}
			if !ascending(rows, "trade_id") {
				c.Fatalf("%v", rows)
			}
		}},
		{"1000 trades", func(c *client) {
			a, b := c.two()
			trades := c.many(1000, a, func(i int) []any { return []any{"account_id", []int64{a, b}[i%2], "quantity", say(i + 1)} })
			rows := c.post("/trades", trades).list(202)
			if len(rows) != 1000 || !ascending(rows, "trade_id") {
				c.Fatalf("%d rows, not ascending", len(rows))
			}
			c.get("/accounts/%d/positions", a).has(200, `{"data":[{"symbol":"AAPL","quantity":"250000"}]}`)
			c.get("/accounts/%d/positions", b).has(200, `{"data":[{"symbol":"AAPL","quantity":"250500"}]}`)
		}},
		{"1001 trades", func(c *client) {
			trades := c.many(1001, c.account(), nil)
			c.post("/trades", trades).fails(400, "too_many_trades")
			c.unbooked(trades[0], trades[1000])
		}},
		{"no trades", func(c *client) {
			c.post("/trades", []obj{}).fails(400, "too_many_trades")
		}},
		{"an unknown account", func(c *client) {
			account := c.account()
			good, bad := c.trade(exchange, account), c.trade(exchange, c.number())
			c.post("/trades", []obj{good, bad}).fails(422, "unknown_account")
			c.unbooked(good, bad)
		}},
		{"an unknown target account", func(c *client) {
			account := c.account()
			good := c.trade(exchange, account)
			for _, kind := range []string{allocation, transfer} {
				bad := c.trade(kind, account, "target_account_id", c.number())
				c.post("/trades", []obj{good, bad}).fails(422, "unknown_account")
				c.unbooked(good, bad)
			}
		}},
		{"all or none", func(c *client) {
			account := c.account()
			kept := c.trade(exchange, account)
			c.book(kept)
			others := c.many(5, account, nil)
			for _, bad := range []obj{changed(kept, "quantity", "7"), c.trade(exchange, c.number()), c.trade(exchange, account, "cancel_trade_id", "never")} {
				a := c.post("/trades", append(append([]obj{}, others...), bad))
				if a.status(a.code); a.code != 409 && a.code != 422 && a.code != 404 {
					c.Fatalf("%d", a.code)
				}
			}
			c.unbooked(others...)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"100"}]}`)
			if rows := c.walk("/accounts/"+say(account)+"/journal", 100, nil); len(rows) != 1 {
				c.Fatalf("journal: %v", rows)
			}
		}},
		{"a client's id is an account's own", func(c *client) {
			a, b := c.two()
			first := c.trade(exchange, a)
			ids := c.book(first, changed(first, "account_id", b, "quantity", "5"))
			if ids[0] == ids[1] {
				c.Fatal("one id for two trades")
			}
			c.find(a, first["client_trade_id"]).has(200, `{"trade_id":%q,"quantity":"100"}`, ids[0])
			c.find(b, first["client_trade_id"]).has(200, `{"trade_id":%q,"quantity":"5"}`, ids[1])
		}},
		{"a client's id of another account is none", func(c *client) {
			a, b := c.two()
			mine, theirs := c.trade(exchange, a), c.trade(exchange, b)
			c.book(mine, theirs)
			c.find(a, theirs["client_trade_id"]).fails(404, "trade_not_found")
			c.find(b, mine["client_trade_id"]).fails(404, "trade_not_found")
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", theirs["client_trade_id"], a).fails(404, "trade_not_found")
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", mine["client_trade_id"], b).fails(404, "trade_not_found")
		}},
		{"a target's own client id is free", func(c *client) {
			a, b := c.two()
			moved := c.trade(transfer, a, "target_account_id", b)
			ids := c.book(moved, c.trade(exchange, b, "client_trade_id", moved["client_trade_id"]))
			c.find(b, moved["client_trade_id"]).has(200, `{"trade_id":%q,"type":"exchange_trade"}`, ids[1])
			c.find(a, moved["client_trade_id"]).has(200, `{"trade_id":%q,"type":"transfer_trade"}`, ids[0])
		}},
		{"a client reads its own writes", func(c *client) {
			account := c.account()
			for i := 1; i <= 20; i++ {
				id := c.one(c.buy(account, "1", "2"))
				c.get("/trades/%s", id).has(200, `{"state":"open"}`)
				c.get("/accounts/%d/positions/AAPL", account).has(200, `{"quantity":"%d"}`, i)
				c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":"-%d"}]}`, 2*i)
				c.get("/accounts/%d/trades/%s", account, id).has(200, `{"running_position":"%d"}`, i)
			}
		}},
		{"every trade opens while no business date is set, and nothing settles", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account, "date", 20991231), c.trade(exchange, account, "date", 20010102), c.trade(exchange, account, "settlement.date", monday))
			for _, id := range ids {
				c.get("/trades/%s", id).has(200, `{"state":"open"}`)
			}
			c.get("/accounts/%d/positions/AAPL?view=full", account).has(200, `{"quantity":"300","settled_quantity":"0"}`)
		}},
		{"booked in the order of the call", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "10", "1"), c.sell(account, "4", "1"), c.buy(account, "1", "1"))
			for i, want := range []string{"10", "6", "7"} {
				c.get("/accounts/%d/trades/%s", account, ids[i]).has(200, `{"running_position":%q}`, want)
			}
		}},
	}
}
