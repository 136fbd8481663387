package contract

import "slices"

// journal compares an account's journal rows, one line each: date, trade, symbol, currency, memo, and the four amounts.
func (c *client) journal(account int64, want ...string) {
	c.Helper()
	rows := c.walk("/accounts/"+say(account)+"/journal", 1000, nil)
	var got []string
	for _, r := range rows {
		if len(r) != 10 {
			c.Fatalf("a journal row has 10 fields: %v", r)
		}
		trade := r["trade_id"]
		if trade == nil {
			trade = "-"
		}
		got = append(got, say(r["date"], trade, r["symbol"], r["currency"], r["memo"], r["td_quantity"], r["td_amount"], r["sd_quantity"], r["sd_amount"]))
	}
	if !slices.Equal(got, want) {
		c.Fatalf("journal of %d:\n got %q\nwant %q", account, got, want)
	}
	if !ascending(rows, "journal_id") {
		c.Fatalf("journal ids do not ascend: %v", rows)
	}
}

// journalCases: the rows that a trade writes when it opens and when it is cancelled.
func journalCases() []testCase {
	return []testCase{
		{"journal: none", func(c *client) {
			c.get("/accounts/%d/journal", c.account()).is(200, `{"data":[]}`)
		}},
		{"journal: a buy", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "100", "167.41"))
			c.journal(account, "0 "+id+" AAPL USD open 100 -16741 0 0")
		}},
		{"journal: a row's fields", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "100", "167.41"))
			a := c.get("/accounts/%d/journal", account)
			rows, _ := a.page()
			if _, text := rows[0]["journal_id"].(string); !text {
				c.Fatalf("journal_id is %#v", rows[0]["journal_id"])
			}
			a.has(200, `{"data":[{"date":0,"trade_id":%q,"symbol":"AAPL","currency":"USD","memo":"open","td_quantity":"100","td_amount":"-16741","sd_quantity":"0","sd_amount":"0"}]}`, id)
		}},
		{"journal: a buy with commission and accrued", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "10", "99", "fees.commission", "1.50", "interest.accrued", "2.25"))
			c.journal(account, "0 "+id+" AAPL USD open 10 -992.25 0 0", "0 "+id+" AAPL USD commission 0 -1.5 0 0")
		}},
		{"journal: a sell with every fee", func(c *client) {
			account := c.account()
			id := c.one(c.sell(account, "100", "167.41", "fees.commission", "1"))
			c.journal(account, "0 "+id+" AAPL USD open -100 16741 0 0", "0 "+id+" AAPL USD commission 0 -1 0 0", "0 "+id+" AAPL USD sec_fee 0 -0.3 0 0", "0 "+id+" AAPL USD taf 0 -0.02 0 0")
		}},
		{"journal: fees that are zero have no row", func(c *client) {
			account := c.account()
			id := c.one(c.sell(account, "100", "167.41", "fees.omit_sec", true))
			c.journal(account, "0 "+id+" AAPL USD open -100 16741 0 0", "0 "+id+" AAPL USD taf 0 -0.02 0 0")
		}},
		{"journal: a cancel reverses", func(c *client) {
			account := c.account()
			id := c.one(c.sell(account, "100", "167.41", "fees.commission", "1"))
			c.delete("/trades/%s", id).status(202)
			c.journal(account, "0 "+id+" AAPL USD open -100 16741 0 0", "0 "+id+" AAPL USD commission 0 -1 0 0", "0 "+id+" AAPL USD sec_fee 0 -0.3 0 0", "0 "+id+" AAPL USD taf 0 -0.02 0 0",
				"0 "+id+" AAPL USD cancel 100 -16741 0 0", "0 "+id+" AAPL USD commission_cancel 0 1 0 0", "0 "+id+" AAPL USD sec_fee_cancel 0 0.3 0 0", "0 "+id+" AAPL USD taf_cancel 0 0.02 0 0")
		}},
		{"journal: a trade between two accounts", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(allocation, a, "target_account_id", b, "side.direction", "sell", "quantity", "10", "price", "2", "fees.commission", "3", "interest.accrued", "1"))
			c.journal(a, "0 "+id+" AAPL USD open -10 21 0 0", "0 "+id+" AAPL USD commission 0 -3 0 0")
			c.journal(b, "0 "+id+" AAPL USD open 10 -21 0 0")
			c.delete("/trades/%s", id).status(202)
			c.journal(a, "0 "+id+" AAPL USD open -10 21 0 0", "0 "+id+" AAPL USD commission 0 -3 0 0", "0 "+id+" AAPL USD cancel 10 -21 0 0", "0 "+id+" AAPL USD commission_cancel 0 3 0 0")
			c.journal(b, "0 "+id+" AAPL USD open 10 -21 0 0", "0 "+id+" AAPL USD cancel -10 21 0 0")
		}},
		{"journal: cash", func(c *client) {
			a, b := c.two()
			c.cash(a, "deposit", "100.50")
			c.cash(a, "withdrawal", "0.5")
			c.operate("/cash", obj{"client_id": c.name(), "account_id": a, "currency": "EUR", "amount": "7", "kind": "journal", "target_account_id": b}).status(202)
			c.journal(a, "0 - - USD deposit 0 100.5 0 100.5", "0 - - USD withdrawal 0 -0.5 0 -0.5", "0 - - EUR journal 0 -7 0 -7")
			c.journal(b, "0 - - EUR journal 0 7 0 7")
		}},
		{"journal: in the order of the work", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "1", "1"), c.buy(account, "2", "1", "instrument.identifier", "MSFT"))
			c.cash(account, "deposit", "9")
			c.delete("/trades/%s", ids[0]).status(202)
			last := c.one(c.buy(account, "3", "1", "settlement.currency", "EUR"))
			c.journal(account, "0 "+ids[0]+" AAPL USD open 1 -1 0 0", "0 "+ids[1]+" MSFT USD open 2 -2 0 0", "0 - - USD deposit 0 9 0 9", "0 "+ids[0]+" AAPL USD cancel -1 1 0 0",
				"0 "+last+" AAPL EUR open 3 -3 0 0")
		}},
		{"journal: for nothing there is a row all the same", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "5", "0"))
			c.journal(account, "0 "+id+" AAPL USD open 5 0 0 0")
		}},
		{"journal: a refused call writes none", func(c *client) {
			account := c.account()
			c.post("/trades", []obj{c.trade(exchange, account), c.trade(exchange, c.number())}).fails(422, "unknown_account")
			c.journal(account)
		}},
		{"journal: an unknown account", func(c *client) {
			c.get("/accounts/%d/journal", c.number()).fails(404, "account_not_found")
			c.get("/accounts/x/journal").fails(400, "malformed_request")
		}},
	}
}
