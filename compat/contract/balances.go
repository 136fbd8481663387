package contract

// balanceCases: GET /accounts/{id}/balances while nothing settles but cash.
func balanceCases() []testCase {
	row := `{"data":[{"currency":"USD","trade_cash":%q,"settled_cash":%q,"unsettled_debits":%q,"unsettled_credits":%q}]}`
	return []testCase{
		{"balances: none", func(c *client) {
			c.get("/accounts/%d/balances", c.account()).is(200, `{"data":[]}`)
		}},
		{"balances: a buy is a debit", func(c *client) {
			account := c.account()
			c.one(c.buy(account, "10", "1.25", "fees.commission", "0.5"))
			c.get("/accounts/%d/balances", account).is(200, row, "-13", "0", "13", "0")
		}},
		{"balances: a sell is a credit", func(c *client) {
			account := c.account()
			c.one(c.sell(account, "100", "167.41"))
			c.get("/accounts/%d/balances", account).is(200, row, "16740.68", "0", "0", "16740.68")
		}},
		{"balances: both are sums", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "10", "1"), c.buy(account, "20", "1"), c.sell(account, "100", "10"), c.sell(account, "100", "10"))
			c.get("/accounts/%d/balances", account).is(200, row, "1969.92", "0", "30", "1999.92")
		}},
		{"balances: a sell that costs more than it brings is a debit", func(c *client) {
			account := c.account()
			c.one(c.sell(account, "1", "1", "fees.commission", "5"))
			c.get("/accounts/%d/balances", account).is(200, row, "-4.02", "0", "4.02", "0")
		}},
		{"balances: settled cash beside open trades", func(c *client) {
			account := c.account()
			c.cash(account, "deposit", "1000")
			c.one(c.buy(account, "10", "1"))
			c.get("/accounts/%d/balances", account).is(200, row, "990", "1000", "10", "0")
		}},
		{"balances: a cancel takes back", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "10", "1"), c.sell(account, "100", "10"))
			c.delete("/trades/%s", ids[1]).status(202)
			c.get("/accounts/%d/balances", account).is(200, row, "-10", "0", "10", "0")
			c.delete("/trades/%s", ids[0]).status(202)
			c.get("/accounts/%d/balances", account).is(200, row, "0", "0", "0", "0")
		}},
		{"balances: by currency", func(c *client) {
			account := c.account()
			for _, currency := range []string{"USD", "EUR", "JPY", "CHF"} {
				c.one(c.buy(account, "1", "7", "settlement.currency", currency))
			}
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"currency":"CHF","trade_cash":"-7"},{"currency":"EUR"},{"currency":"JPY"},{"currency":"USD","unsettled_debits":"7"}]}`)
		}},
		{"balances: a target's", func(c *client) {
			a, b := c.two()
			c.one(c.trade(transfer, a, "target_account_id", b, "quantity", "10", "price", "2"))
			c.get("/accounts/%d/balances", a).is(200, row, "-20", "0", "20", "0")
			c.get("/accounts/%d/balances", b).is(200, row, "20", "0", "0", "20")
		}},
		{"balances: a price of zero leaves a row of zeros", func(c *client) {
			account := c.account()
			c.one(c.buy(account, "10", "0"))
			c.get("/accounts/%d/balances", account).is(200, row, "0", "0", "0", "0")
		}},
		{"balances: an unknown account", func(c *client) {
			c.get("/accounts/%d/balances", c.number()).fails(404, "account_not_found")
			c.get("/accounts/x/balances").fails(400, "malformed_request")
		}},
	}
}
