package contract

import "net/url"

// positionCases: GET /accounts/{id}/positions.
func positionCases() []testCase {
	symbol := func(s string) []any { return []any{"instrument.identifier", s} }
	return []testCase{
		{"positions: none", func(c *client) {
			account := c.account()
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
			c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[]}`)
			c.get("/accounts/%d/positions/AAPL", account).fails(404, "position_not_found")
		}},
		{"positions: a row", func(c *client) {
			account := c.account()
			c.one(c.buy(account, "12.50", "1"))
			c.get("/accounts/%d/positions", account).is(200, `{"data":[{"account_id":"%d","symbol":"AAPL","quantity":"12.5"}]}`, account)
			c.get("/accounts/%d/positions/AAPL", account).is(200, `{"account_id":"%d","symbol":"AAPL","quantity":"12.5"}`, account)
		}},
		{"positions: view=full", func(c *client) {
			account := c.account()
			c.one(c.buy(account, "12.50", "1"))
			c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[{"account_id":"%d","symbol":"AAPL","quantity":"12.5","settled_quantity":"0"}]}`, account)
			c.get("/accounts/%d/positions/AAPL?view=full", account).is(200, `{"account_id":"%d","symbol":"AAPL","quantity":"12.5","settled_quantity":"0"}`, account)
		}},
		{"positions: short", func(c *client) {
			account := c.account()
			c.one(c.sell(account, "5", "1", "side.qualifier", "short"))
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"-5"}]}`)
		}},
		{"positions: zero rows are left out", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "5", "1"), c.buy(account, "3", "1", symbol("MSFT")...), c.sell(account, "5.0", "1"))
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"symbol":"MSFT"}]}`)
			c.get("/accounts/%d/positions/AAPL", account).fails(404, "position_not_found")
			c.get("/accounts/%d/positions?view=full", account).has(200, `{"data":[{"symbol":"MSFT"}]}`)
			c.get("/accounts/%d/positions/AAPL?view=full", account).fails(404, "position_not_found")
		}},
		{"positions: back from zero", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "5", "1"), c.sell(account, "5", "1"), c.sell(account, "2", "1"))
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"symbol":"AAPL","quantity":"-2"}]}`)
		}},
		{"positions: by symbol", func(c *client) {
			account := c.account()
			for _, s := range []string{"ZION", "B", "AA", "A", "AAA", "9988", "C"} {
				c.one(c.buy(account, "1", "1", symbol(s)...))
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"symbol":"9988"},{"symbol":"A"},{"symbol":"AA"},{"symbol":"AAA"},{"symbol":"B"},{"symbol":"C"},{"symbol":"ZION"}]}`)
		}},
		{"positions: symbols with marks in a path", func(c *client) {
			account := c.account()
			for _, s := range []string{"BRK/B", "BRK.B", "SPX 100", "A-B_C"} {
				c.one(c.buy(account, "1", "1", symbol(s)...))
				c.get("/accounts/%d/positions/%s", account, url.PathEscape(s)).has(200, `{"symbol":%q,"quantity":"1"}`, s)
			}
		}},
		{"positions: a symbol is kept as it is written", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "1", "1", symbol("AAPL")...), c.buy(account, "2", "1", symbol("aapl")...))
			c.get("/accounts/%d/positions/AAPL", account).has(200, `{"quantity":"1"}`)
			c.get("/accounts/%d/positions/aapl", account).has(200, `{"quantity":"2"}`)
		}},
		{"positions: one symbol, whatever its type, country and currency", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "1", "1"), c.buy(account, "2", "1", "instrument.currency", "EUR"), c.buy(account, "4", "1", "instrument.country", "DE"),
				c.buy(account, "8", "1", "instrument.identifier_type", "isin"), c.buy(account, "16", "1", "settlement.currency", "GBP"))
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"symbol":"AAPL","quantity":"31"}]}`)
		}},
		{"positions: accounts are kept apart", func(c *client) {
			a, b := c.two()
			c.book(c.buy(a, "1", "1"), c.buy(b, "2", "1"))
			c.get("/accounts/%d/positions/AAPL", a).has(200, `{"account_id":"%d","quantity":"1"}`, a)
			c.get("/accounts/%d/positions/AAPL", b).has(200, `{"account_id":"%d","quantity":"2"}`, b)
		}},
		{"positions: an unknown account", func(c *client) {
			c.get("/accounts/%d/positions", c.number()).fails(404, "account_not_found")
			c.get("/accounts/%d/positions/AAPL", c.number()).fails(404, "account_not_found")
			c.get("/accounts/x/positions").fails(400, "malformed_request")
		}},
	}
}
