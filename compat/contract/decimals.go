package contract

// decimalCases hold decimals in and out against section 1.
func decimalCases() []testCase {
	var cases []testCase
	for _, d := range []struct{ name, in, out string }{
		{"whole", "100", "100"},
		{"a zero after the point", "100.0", "100"},
		{"two places", "167.41", "167.41"},
		{"zeros at the end", "167.4100", "167.41"},
		{"zeros at the front", "007.5", "7.5"},
		{"nothing before the point", ".5", "0.5"},
		{"zeros alone", "000.000", "0"},
		{"zero", "0", "0"},
		{"negative zero", "-0", "0"},
		{"10 places", "0.0000000001", "0.0000000001"},
		{"18 digits", "999999999999999999", "999999999999999999"},
		{"28 digits", "123456789012345678.0123456789", "123456789012345678.0123456789"},
		{"1000000, which has no exponent", "1000000", "1000000"},
	} {
		cases = append(cases, testCase{"decimal as a price: " + d.name, func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "1", d.in))
			gross, net := d.out, "-"+d.out
			if d.out == "0" {
				net = "0"
			}
			c.get("/trades/%s", id).has(200, `{"quantity":"1","price":%q,"gross_amount":%q,"net_amount":%q}`, d.out, gross, net)
		}})
	}
	for _, d := range []struct{ name, in string }{
		{"empty", ""}, {"a point at the end", "5."}, {"a point alone", "."}, {"a plus", "+5"}, {"an exponent", "1e3"}, {"a space", " 5"}, {"a comma", "1,000"}, {"two points", "1.2.3"},
		{"two signs", "--5"}, {"hexadecimal", "0x10"}, {"not a number", "NaN"}, {"other digits", "٣"}, {"19 digits", "1000000000000000000"}, {"11 places", "0.00000000001"},
	} {
		cases = append(cases, testCase{"not a decimal: " + d.name, func(c *client) {
			account := c.account()
			good := c.trade(exchange, account)
			for _, field := range []string{"quantity", "price", "fees.commission", "interest.accrued"} {
				c.post("/trades", []obj{good, c.trade(exchange, account, field, d.in)}).fails(400, "malformed_trade", "trades[1]."+field+":")
			}
			c.unbooked(good)
		}})
	}
	return append(cases,
		testCase{"decimal: a fraction below zero", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, ".5", "1", "interest.yield", "-0.50"))
			c.get("/trades/%s", id).has(200, `{"quantity":"0.5","net_amount":"-0.5","interest":{"yield":"-0.5"}}`)
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":"-0.5"}]}`)
		}},
		testCase{"decimal: a product of 18 and 10 digits", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "0.00001", "0.00001"), c.buy(account, "999999999", "1000000000"), c.sell(account, "0.5", "0.1111111112"))
			c.get("/trades/%s", ids[0]).has(200, `{"gross_amount":"0.0000000001"}`)
			c.get("/trades/%s", ids[1]).has(200, `{"gross_amount":"999999999000000000"}`)
			c.get("/trades/%s", ids[2]).has(200, `{"gross_amount":"0.0555555556"}`)
		}},
		testCase{"decimal: sums are exact", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "0.1", "0.1"), c.buy(account, "0.2", "0.1"), c.buy(account, "123456789012", "100000.0000000001"))
			c.get("/accounts/%d/positions", account).is(200, `{"data":[{"account_id":"%d","symbol":"AAPL","quantity":"123456789012.3"}]}`, account)
		}},
		testCase{"decimal: a product over 18 digits", func(c *client) {
			c.refused(c.buy(c.account(), "1000000000", "1000000000"), "")
		}},
		testCase{"decimal: a product over 10 places", func(c *client) {
			c.refused(c.buy(c.account(), "0.00001", "0.000001"), "")
			c.refused(c.sell(c.account(), "0.333", "0.00000001"), "")
		}},
	)
}

// refused makes sure that a trade is malformed in a field, whoever stands beside it, and that nothing of the call was booked.
func (c *client) refused(bad obj, field string) {
	c.Helper()
	good := c.trade(exchange, number(bad["account_id"]))
	c.post("/trades", []obj{bad}).fails(400, "malformed_trade", "trades[0]."+field)
	c.post("/trades", []obj{good, good, bad}).fails(400, "malformed_trade", "trades[2]."+field)
	c.unbooked(good)
}
