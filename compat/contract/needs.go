package contract

// needCases hold what each type of trade needs, and what not.
func needCases() []testCase {
	var cases []testCase
	needs := map[string][]string{
		exchange:   {"capacity", "mic", "exec_mpid"},
		bilateral:  {"capacity", "exec_mpid", "contra_mpid", "contra_clearing_num"},
		away:       {"capacity", "exec_mpid", "contra_mpid"},
		allocation: {"target_account_id"},
		transfer:   {"target_account_id"},
	}
	for _, kind := range []string{exchange, bilateral, away, allocation, transfer} {
		cases = append(cases, testCase{kind + " with what it needs", func(c *client) {
			account, target := c.two()
			t := c.trade(kind, account)
			if kind == allocation || kind == transfer {
				t["target_account_id"] = target
			}
			c.get("/trades/%s", c.one(t)).has(200, `{"type":%q,"client_trade_id":%q,"account_id":"%d","quantity":"100","price":"167.41","state":"open"}`, kind, t["client_trade_id"], account)
		}})
		if kind == exchange { // its fields are spoiled one by one
			continue
		}
		for _, field := range needs[kind] {
			cases = append(cases, testCase{kind + " without " + field, func(c *client) {
				account, target := c.two()
				t := c.trade(kind, account)
				if kind == allocation || kind == transfer {
					t["target_account_id"] = target
				}
				c.refused(edit(t, field, gone{}), field+":")
			}})
		}
	}
	for _, kind := range []string{allocation, transfer} {
		cases = append(cases, testCase{kind + " to the account itself", func(c *client) {
			account := c.account()
			c.refused(c.trade(kind, account, "target_account_id", account), "target_account_id:")
		}}, testCase{kind + " to what is no account id", func(c *client) {
			account := c.account()
			c.refused(c.trade(kind, account, "target_account_id", "x"), "target_account_id:")
			c.refused(c.trade(kind, account, "target_account_id", -1), "target_account_id:")
		}})
	}
	for _, kind := range []string{bilateral, away} {
		cases = append(cases, testCase{kind + " with a contra_mpid out of range", func(c *client) {
			account := c.account()
			c.refused(c.trade(kind, account, "contra_mpid", ""), "contra_mpid:")
			c.refused(c.trade(kind, account, "contra_mpid", text(11, "X")), "contra_mpid:")
			c.refused(c.trade(kind, account, "contra_mpid", 5), "contra_mpid:")
		}})
	}
	return append(cases,
		testCase{"contra_dtc_num is contra_clearing_num's old name", func(c *client) {
			id := c.one(c.trade(bilateral, c.account(), "contra_clearing_num", gone{}, "contra_dtc_num", "0443"))
			c.get("/trades/%s", id).has(200, `{"contra_clearing_num":"0443"}`)
		}},
		testCase{"fixed_income.accrued_interest is interest.accrued's old name", func(c *client) {
			id := c.one(c.buy(c.account(), "10", "99", "fixed_income.accrued_interest", "1.50"))
			c.get("/trades/%s", id).has(200, `{"interest":{"accrued":"1.5"},"gross_amount":"990","net_amount":"-991.5"}`)
		}},
		testCase{"a sedol needs no country and no currency", func(c *client) {
			id := c.one(c.trade(exchange, c.account(), "instrument", obj{"identifier": "2046251", "identifier_type": "sedol"}))
			c.get("/trades/%s", id).has(200, `{"instrument":{"identifier":"2046251","identifier_type":"sedol"},"settlement":{"currency":"USD"}}`)
		}},
		testCase{"ticker, cusip and isin need a country and a currency", func(c *client) {
			for _, kind := range []string{"ticker", "cusip", "isin"} {
				c.refused(c.trade(exchange, c.account(), "instrument.identifier_type", kind, "instrument.country", gone{}), "instrument.country:")
				c.refused(c.trade(exchange, c.account(), "instrument.identifier_type", kind, "instrument.currency", gone{}), "instrument.currency:")
			}
		}},
		testCase{"each type of identifier", func(c *client) {
			for kind, identifier := range map[string]string{"ticker": "MSFT", "cusip": "594918104", "isin": "US5949181045", "sedol": "2588173"} {
				account := c.account()
				id := c.one(c.trade(exchange, account, "instrument.identifier_type", kind, "instrument.identifier", identifier))
				c.get("/trades/%s", id).has(200, `{"instrument":{"identifier":%q,"identifier_type":%q}}`, identifier, kind)
				c.get("/accounts/%d/positions/%s", account, identifier).has(200, `{"symbol":%q,"quantity":"100"}`, identifier)
			}
		}},
		testCase{"null is as good as left out where a field is not needed", func(c *client) {
			t := c.trade(exchange, c.account(), "settlement", nil, "fees", nil, "interest", nil, "order_id", nil, "user_data", nil, "cancel_trade_id", nil, "is_when_issued", nil,
				"side.qualifier", nil, "side.position", nil)
			id := c.one(t)
			c.get("/trades/%s", id).has(200, `{"fees":{"commission":"0"},"settlement":{"currency":"USD"},"is_when_issued":false}`)
			bare := c.trade(exchange, number(t["account_id"]), "client_trade_id", t["client_trade_id"])
			c.post("/trades", []obj{bare}).has(202, `[{"trade_id":%q}]`, id)
		}},
	)
}
