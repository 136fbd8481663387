package contract

import "fmt"

// accountTradeCases: GET /accounts/{id}/trades where no business date is set, so that a date has to be named.
func accountTradeCases() []testCase {
	var cases []testCase
	for _, s := range []struct {
		name         string
		edits        []any
		own, targets string
	}{
		{"a buy", nil, "buy", "sell"},
		{"a sell", []any{"side.direction", "sell"}, "sell", "buy"},
		{"a short sale", []any{"side.direction", "sell", "side.qualifier", "short"}, "sell-short", "buy"},
	} {
		cases = append(cases, testCase{"account's trades: " + s.name + " as both accounts see it", func(c *client) {
			a, b := c.two()
			id := c.one(edit(c.trade(transfer, a, "target_account_id", b), s.edits...))
			running := map[string][2]string{"buy": {"100", "-100"}, "sell": {"-100", "100"}, "sell-short": {"-100", "100"}}[s.own]
			for i, account := range []int64{a, b} {
				want := fmt.Sprintf(`{"trade_id":%q,"account_id":"%d","created_at":1381132800464,"order_id":"","symbol":"AAPL","side":%q,"quantity":"100","price":"167.41","running_position":%q}`,
					id, account, []string{s.own, s.targets}[i], running[i])
				c.get("/accounts/%d/trades?date=20131007", account).is(200, `{"data":[%s]}`, want)
				c.get("/accounts/%d/trades/%s", account, id).is(200, "%s", want)
			}
		}})
	}
	list := "/accounts/%d/trades?date=%d"
	return append(cases,
		testCase{"account's trades: none", func(c *client) {
			account := c.account()
			c.get("/accounts/%d/trades", account).is(200, `{"data":[]}`)
			c.get(list, account, monday).is(200, `{"data":[]}`)
		}},
		testCase{"account's trades: no date is none while no business date is set", func(c *client) {
			account := c.account()
			c.one(c.trade(exchange, account))
			c.get("/accounts/%d/trades", account).is(200, `{"data":[]}`)
		}},
		testCase{"account's trades: of one trade date", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account), c.trade(exchange, account, "date", 20131008), c.trade(exchange, account))
			c.get(list, account, monday).has(200, `{"data":[{"trade_id":%q},{"trade_id":%q}]}`, ids[0], ids[2])
			c.get(list, account, 20131008).has(200, `{"data":[{"trade_id":%q}]}`, ids[1])
			c.get(list, account, 20131009).is(200, `{"data":[]}`)
		}},
		testCase{"account's trades: its own and those that target it, nobody else's", func(c *client) {
			a, b := c.two()
			ids := c.book(c.trade(exchange, a), c.trade(exchange, b), c.trade(allocation, b, "target_account_id", a))
			c.get(list, a, monday).has(200, `{"data":[{"trade_id":%q,"account_id":"%d"},{"trade_id":%q,"account_id":"%d"}]}`, ids[0], a, ids[2], a)
			c.get("/accounts/%d/trades/%s", a, ids[1]).fails(404, "trade_not_found")
		}},
		testCase{"account's trades: order ids", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account, "order_id", "ORD/1"), c.trade(exchange, account))
			c.get(list, account, monday).has(200, `{"data":[{"trade_id":%q,"order_id":"ORD/1"},{"trade_id":%q,"order_id":""}]}`, ids[0], ids[1])
		}},
		testCase{"account's trades: running positions", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "100", "1"), c.sell(account, "30.5", "1"), c.buy(account, "1", "1", "instrument.identifier", "MSFT"), c.sell(account, "100", "1"), c.buy(account, "30.5", "1"))
			c.get(list, account, monday).has(200, `{"data":[{"symbol":"AAPL","running_position":"100"},{"symbol":"AAPL","running_position":"69.5"},
				{"symbol":"MSFT","running_position":"1"},{"symbol":"AAPL","running_position":"-30.5"},{"symbol":"AAPL","running_position":"0"}]}`)
		}},
		testCase{"account's trades: cancelled ones are left out, and listed if asked for", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "1", "1"), c.buy(account, "2", "1"), c.buy(account, "4", "1"))
			c.delete("/trades/%s", ids[1]).status(202)
			c.get(list, account, monday).has(200, `{"data":[{"trade_id":%q},{"trade_id":%q}]}`, ids[0], ids[2])
			c.get(list+"&state=canceled", account, monday).has(200, `{"data":[{"trade_id":%q,"running_position":"3"}]}`, ids[1])
			c.get("/accounts/%d/trades/%s", account, ids[1]).has(200, `{"trade_id":%q,"running_position":"3"}`, ids[1])
			c.get("/accounts/%d/trades/%s", account, ids[2]).has(200, `{"running_position":"7"}`)
		}},
		testCase{"account's trades: by state", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account))
			c.get(list+"&state=open", account, monday).has(200, `{"data":[{"trade_id":%q}]}`, id)
			for _, state := range []string{"new", "settled", "canceled"} {
				c.get(list+"&state=%s", account, monday, state).is(200, `{"data":[]}`)
			}
		}},
		testCase{"account's trades: a state that is none", func(c *client) {
			for _, state := range []string{"closed", "OPEN", "cancelled", "open,new"} {
				c.get(list+"&state=%s", c.account(), monday, state).fails(400, "malformed_request")
			}
		}},
		testCase{"account's trades: a date that is none", func(c *client) {
			for _, date := range []string{"20130230", "2013-10-07", "monday", "1", "-20131007"} {
				c.get("/accounts/%d/trades?date=%s", c.account(), date).fails(400, "malformed_request")
			}
		}},
		testCase{"account's trades: an unknown account", func(c *client) {
			c.get("/accounts/%d/trades", c.number()).fails(404, "account_not_found")
			c.get("/accounts/abc/trades").fails(400, "malformed_request")
		}},
		testCase{"account's trade: unknown, and no id", func(c *client) {
			account := c.account()
			c.get("/accounts/%d/trades/9000000000000000000", account).fails(404, "trade_not_found")
			c.get("/accounts/%d/trades/abc", account).fails(400, "malformed_request")
		}},
		testCase{"account's trade: of any date", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account, "date", 20150105))
			c.get("/accounts/%d/trades/%s", account, id).has(200, `{"trade_id":%q}`, id)
		}},
		testCase{"account's trades: the symbol as booked", func(c *client) {
			account := c.account()
			c.one(c.trade(exchange, account, "instrument.identifier", "037833100", "instrument.identifier_type", "cusip"))
			c.get(list, account, monday).has(200, `{"data":[{"symbol":"037833100"}]}`)
		}},
	)
}
