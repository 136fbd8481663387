package contract

// cash moves USD and gives the cash id.
func (c *client) cash(account int64, kind, amount string) string {
	c.Helper()
	body := c.operate("/cash", obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": amount, "kind": kind}).status(202).object()
	id, _ := body["cash_id"].(string)
	if number(id) <= 0 || len(body) != 1 {
		c.Fatalf("POST /cash answered %v", body)
	}
	return id
}

// cashCases: POST /cash.
func cashCases() []testCase {
	row := `{"data":[{"currency":"USD","trade_cash":%[1]q,"settled_cash":%[1]q,"unsettled_debits":"0","unsettled_credits":"0"}]}`
	return []testCase{
		{"cash: a deposit settles at once", func(c *client) {
			account := c.account()
			c.cash(account, "deposit", "250.00")
			c.get("/accounts/%d/balances", account).is(200, row, "250")
		}},
		{"cash: a withdrawal", func(c *client) {
			account := c.account()
			c.cash(account, "deposit", "250")
			c.cash(account, "withdrawal", "100.01")
			c.get("/accounts/%d/balances", account).is(200, row, "149.99")
		}},
		{"cash: a withdrawal below zero", func(c *client) {
			account := c.account()
			c.cash(account, "withdrawal", "0.5")
			c.get("/accounts/%d/balances", account).is(200, row, "-0.5")
		}},
		{"cash: a journal moves from one account to another", func(c *client) {
			a, b := c.two()
			c.operate("/cash", obj{"client_id": c.name(), "account_id": say(a), "currency": "USD", "amount": "30", "kind": "journal", "target_account_id": say(b)}).status(202)
			c.get("/accounts/%d/balances", a).is(200, row, "-30")
			c.get("/accounts/%d/balances", b).is(200, row, "30")
		}},
		{"cash: back to zero keeps its row", func(c *client) {
			account := c.account()
			c.cash(account, "deposit", "5")
			c.cash(account, "withdrawal", "5.0")
			c.get("/accounts/%d/balances", account).is(200, row, "0")
		}},
		{"cash: ids ascend", func(c *client) {
			account := c.account()
			last := int64(0)
			for range 5 {
				id := number(c.cash(account, "deposit", "1"))
				if id <= last {
					c.Fatalf("%d after %d", id, last)
				}
				last = id
			}
		}},
		{"cash: the same again", func(c *client) {
			account := c.account()
			body := obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "10", "kind": "deposit"}
			id := c.operate("/cash", body).status(202).object()["cash_id"]
			c.operate("/cash", body).is(202, `{"cash_id":%q}`, id)
			c.operate("/cash", changed(body, "amount", "10.00", "account_id", say(account), "colour", "red")).is(202, `{"cash_id":%q}`, id)
			c.get("/accounts/%d/balances", account).is(200, row, "10")
			c.journal(account, "0 - - USD deposit 0 10 0 10")
		}},
		{"cash: other content under the same client id", func(c *client) {
			a, b := c.two()
			body := obj{"client_id": c.name(), "account_id": a, "currency": "USD", "amount": "10", "kind": "deposit"}
			c.operate("/cash", body).status(202)
			for field, v := range map[string]any{"account_id": b, "currency": "EUR", "amount": "11", "kind": "withdrawal"} {
				c.operate("/cash", changed(body, field, v)).fails(409, "conflict")
			}
			c.operate("/cash", changed(body, "kind", "journal", "target_account_id", b)).fails(409, "conflict")
			c.get("/accounts/%d/balances", a).is(200, row, "10")
			c.get("/accounts/%d/balances", b).is(200, `{"data":[]}`)
		}},
		{"cash: unknown accounts", func(c *client) {
			account := c.account()
			body := obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "10", "kind": "journal", "target_account_id": c.number()}
			c.operate("/cash", body).fails(422, "unknown_account")
			c.operate("/cash", changed(body, "account_id", c.number(), "target_account_id", account)).fails(422, "unknown_account")
			c.operate("/cash", changed(body, "kind", "deposit", "account_id", c.number(), "target_account_id", gone{})).fails(422, "unknown_account")
			c.get("/accounts/%d/balances", account).is(200, `{"data":[]}`)
			c.operate("/cash", changed(body, "kind", "deposit", "target_account_id", gone{})).status(202)
		}},
		{"cash: bad bodies", func(c *client) {
			account := c.account()
			good := obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "10", "kind": "deposit"}
			for field, values := range map[string][]any{
				"client_id":  {gone{}, nil, "", 5},
				"account_id": {gone{}, nil, "x", -1, 1.5},
				"currency":   {gone{}, nil, "", "usd", "US", 5},
				"amount":     {gone{}, nil, "", "0", "-1", 10, "1e3", "x", "1000000000000000000", "0.00000000001"},
				"kind":       {gone{}, nil, "", "gift", 5},
			} {
				for _, v := range values {
					c.operate("/cash", changed(good, field, v)).names(400, "malformed_request", field)
				}
			}
			c.get("/accounts/%d/balances", account).is(200, `{"data":[]}`)
		}},
		{"cash: a target with journals and only there", func(c *client) {
			a, b := c.two()
			body := obj{"client_id": c.name(), "account_id": a, "currency": "USD", "amount": "10", "kind": "journal"}
			c.operate("/cash", body).names(400, "malformed_request", "target_account_id")
			for _, kind := range []string{"deposit", "withdrawal"} {
				c.operate("/cash", changed(body, "kind", kind, "target_account_id", b)).names(400, "malformed_request", "target_account_id")
			}
			c.get("/accounts/%d/balances", a).is(200, `{"data":[]}`)
		}},
		{"cash: a malformed body before an unknown account", func(c *client) {
			c.operate("/cash", obj{"client_id": c.name(), "account_id": c.number(), "currency": "USD", "amount": "0", "kind": "deposit"}).fails(400, "malformed_request")
		}},
		{"cash: the same from many at once", func(c *client) {
			account := c.account()
			body := obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "10", "kind": "deposit"}
			answers := c.together(12, func(int) answer { return c.operate("/cash", body) })
			for _, a := range answers {
				a.is(202, `{"cash_id":%q}`, answers[0].status(202).object()["cash_id"])
			}
			c.get("/accounts/%d/balances", account).is(200, row, "10")
		}},
		{"cash: from many at once adds up", func(c *client) {
			a, b := c.two()
			for _, got := range c.together(32, func(i int) answer {
				from, to := a, b
				if i%4 == 0 {
					from, to = b, a
				}
				return c.operate("/cash", obj{"client_id": c.name(), "account_id": from, "currency": "USD", "amount": "1.5", "kind": "journal", "target_account_id": to})
			}) {
				got.status(202)
			}
			c.get("/accounts/%d/balances", a).is(200, row, "-24")
			c.get("/accounts/%d/balances", b).is(200, row, "24")
		}},
	}
}
