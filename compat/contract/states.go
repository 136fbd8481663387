package contract

import "fmt"

// stateCases run at the business date monday.
func stateCases() []testCase {
	list := "/accounts/%d/trades"
	return []testCase{
		{"dated: the business date", func(c *client) {
			c.get("/business-date").is(200, `{"date":%d}`, monday)
		}},
		{"dated: the same date again changes nothing", func(c *client) {
			c.roll(monday)
			c.get("/business-date").is(200, `{"date":%d}`, monday)
		}},
		{"dated: not backward", func(c *client) {
			for _, date := range []int{20131006, 20131004, 20010101} {
				c.operate("/business-date", obj{"date": date}).fails(400, "malformed_request")
			}
			c.get("/business-date").is(200, `{"date":%d}`, monday)
		}},
		{"dated: traded today is open", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "100", "1"))
			c.get("/trades/%s", id).has(200, `{"state":"open","settle_date":20131010}`)
			c.journal(account, fmt.Sprintf("%d %s AAPL USD open 100 -100 0 0", monday, id))
		}},
		{"dated: traded tomorrow is new and does nothing", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(transfer, a, "target_account_id", b, "date", 20131008))
			c.get("/trades/%s", id).has(200, `{"state":"new","settle_date":20131011,"gross_amount":"16741","net_amount":"-16741"}`)
			for _, account := range []int64{a, b} {
				c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[]}`)
				c.get("/accounts/%d/balances", account).is(200, `{"data":[]}`)
				c.journal(account)
				c.get("/accounts/%d/trades/%s", account, id).has(200, `{"running_position":null}`)
			}
		}},
		{"dated: new trades are listed under their date", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account, "date", 20131008), c.trade(exchange, account))
			c.get(list+"?date=20131008", account).has(200, `{"data":[{"trade_id":%q,"running_position":null}]}`, ids[0])
			c.get(list+"?date=20131008&state=new", account).has(200, `{"data":[{"trade_id":%q}]}`, ids[0])
			c.get(list+"?date=20131008&state=open", account).is(200, `{"data":[]}`)
		}},
		{"dated: the list without a date is today's", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account, "date", 20131004), c.trade(exchange, account), c.trade(exchange, account, "date", 20131008), c.trade(exchange, account))
			c.get(list, account).has(200, `{"data":[{"trade_id":%q},{"trade_id":%q}]}`, ids[1], ids[3])
			c.get(list+"?state=open", account).has(200, `{"data":[{"trade_id":%q},{"trade_id":%q}]}`, ids[1], ids[3])
		}},
		{"dated: late, not yet to be settled", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "5", "1", "date", 20131003))
			c.get("/trades/%s", id).has(200, `{"state":"open","settle_date":20131008}`)
			c.journal(account, fmt.Sprintf("%d %s AAPL USD open 5 -5 0 0", monday, id))
		}},
		{"dated: late, to be settled today, opens and settles at once", func(c *client) {
			account := c.account()
			id := c.one(c.sell(account, "100", "167.41", "date", 20131002, "fees.commission", "1"))
			c.get("/trades/%s", id).has(200, `{"state":"settled","settle_date":20131007,"net_amount":"16739.68"}`)
			say := func(rest string) string { return fmt.Sprintf("%d %s AAPL USD %s", monday, id, rest) }
			c.journal(account, say("open -100 16741 0 0"), say("commission 0 -1 0 0"), say("sec_fee 0 -0.3 0 0"), say("taf 0 -0.02 0 0"),
				say("settle 0 0 -100 16741"), say("commission_settle 0 0 0 -1"), say("sec_fee_settle 0 0 0 -0.3"), say("taf_settle 0 0 0 -0.02"))
			c.get("/accounts/%d/positions/AAPL?view=full", account).has(200, `{"quantity":"-100","settled_quantity":"-100"}`)
			c.get("/accounts/%d/balances", account).is(200, `{"data":[{"currency":"USD","trade_cash":"16739.68","settled_cash":"16739.68","unsettled_debits":"0","unsettled_credits":"0"}]}`)
		}},
		{"dated: late between two accounts", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(allocation, a, "target_account_id", b, "date", 20130903, "quantity", "10", "price", "2"))
			c.get("/trades/%s", id).has(200, `{"state":"settled","settle_date":20130906}`)
			c.journal(a, fmt.Sprintf("%d %s AAPL USD open 10 -20 0 0", monday, id), fmt.Sprintf("%d %s AAPL USD settle 0 0 10 -20", monday, id))
			c.journal(b, fmt.Sprintf("%d %s AAPL USD open -10 20 0 0", monday, id), fmt.Sprintf("%d %s AAPL USD settle 0 0 -10 20", monday, id))
		}},
		{"dated: an irregular settlement date of today settles at once", func(c *client) {
			account := c.account()
			id := c.one(c.buy(account, "5", "1", "settlement.date", monday))
			c.get("/trades/%s", id).has(200, `{"state":"settled","settle_date":%d}`, monday)
			c.get("/accounts/%d/positions/AAPL?view=full", account).has(200, `{"quantity":"5","settled_quantity":"5"}`)
		}},
		{"dated: when-issued stays open", func(c *client) {
			id := c.one(c.buy(c.account(), "5", "1", "date", 20130102, "is_when_issued", true))
			c.get("/trades/%s", id).has(200, `{"state":"open","settle_date":99991231}`)
		}},
		{"dated: cancel of a new trade leaves no trace in the books", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account, "date", 20131008))
			c.delete("/trades/%s", id).is(202, `{}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			c.delete("/trades/%s", id).fails(409, "trade_already_canceled")
			c.journal(account)
			c.get("/accounts/%d/balances", account).is(200, `{"data":[]}`)
			c.get(list+"?date=20131008&state=canceled", account).has(200, `{"data":[{"trade_id":%q,"running_position":null}]}`, id)
		}},
		{"dated: cancel of a settled trade", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account, "date", 20131001)
			id := c.one(t)
			c.delete("/trades/%s", id).fails(409, "trade_settled")
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", t["client_trade_id"], account).fails(409, "trade_settled")
			c.get("/trades/%s", id).has(200, `{"state":"settled","canceled_at":null}`)
		}},
		{"dated: replacing a settled trade refuses the call", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account, "date", 20131001))
			good, bad := c.trade(exchange, account), c.trade(exchange, account, "cancel_trade_id", id)
			c.post("/trades", []obj{good, bad}).fails(409, "trade_settled")
			c.unbooked(good, bad)
			c.get("/trades/%s", id).has(200, `{"state":"settled","replaced_by":null}`)
		}},
		{"dated: replacing what settles at once in the same call", func(c *client) {
			account := c.account()
			late := c.trade(exchange, account, "date", 20131001)
			after := c.trade(exchange, account, "cancel_trade_id", late["client_trade_id"])
			c.post("/trades", []obj{late, after}).fails(409, "trade_settled")
			c.unbooked(late, after)
		}},
		{"dated: first fault, a settled trade by index", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account, "date", 20131001))
			settled, unknown := c.trade(exchange, account, "cancel_trade_id", id), c.trade(exchange, c.number())
			c.post("/trades", []obj{settled, unknown}).fails(409, "trade_settled")
			c.post("/trades", []obj{unknown, settled}).fails(422, "unknown_account")
		}},
		{"dated: replacing a new trade", func(c *client) {
			account := c.account()
			old := c.trade(exchange, account, "date", 20131008)
			first := c.one(old)
			second := c.one(c.buy(account, "7", "1", "cancel_trade_id", old["client_trade_id"]))
			c.get("/trades/%s", first).has(200, `{"state":"canceled","replaced_by":%q}`, second)
			c.get("/trades/%s", second).has(200, `{"state":"open","replaces":%q}`, first)
			c.journal(account, fmt.Sprintf("%d %s AAPL USD open 7 -7 0 0", monday, second))
		}},
		{"dated: replacing an open trade by a new one", func(c *client) {
			account := c.account()
			old := c.buy(account, "7", "1")
			first := c.one(old)
			second := c.one(c.trade(exchange, account, "date", 20131008, "cancel_trade_id", old["client_trade_id"]))
			c.get("/trades/%s", second).has(200, `{"state":"new","replaces":%q}`, first)
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
		}},
		{"dated: repeat and conflict of a settled trade", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account, "date", 20131001)
			id := c.one(t)
			c.post("/trades", []obj{t}).is(202, `[{"client_trade_id":%q,"trade_id":%q}]`, t["client_trade_id"], id)
			c.post("/trades", []obj{changed(t, "price", "1")}).fails(409, "client_trade_id_conflict")
		}},
		{"dated: cash bears the business date", func(c *client) {
			account := c.account()
			c.cash(account, "deposit", "5")
			c.journal(account, fmt.Sprintf("%d - - USD deposit 0 5 0 5", monday))
		}},
		{"dated: a settled row stays in the full view", func(c *client) {
			account := c.account()
			c.book(c.buy(account, "5", "1", "date", 20131001), c.sell(account, "5", "1"))
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
			c.get("/accounts/%d/positions/AAPL", account).fails(404, "position_not_found")
			c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[{"account_id":"%d","symbol":"AAPL","quantity":"0","settled_quantity":"5"}]}`, account)
			c.get("/accounts/%d/positions/AAPL?view=full", account).has(200, `{"quantity":"0","settled_quantity":"5"}`)
		}},
		{"dated: settled and open cash side by side", func(c *client) {
			account := c.account()
			c.cash(account, "deposit", "1000")
			c.book(c.buy(account, "10", "1", "date", 20131001), c.buy(account, "20", "1"), c.sell(account, "5", "2", "fees.omit_sec", true, "fees.omit_taf", true), c.trade(exchange, account, "date", 20131008))
			c.get("/accounts/%d/balances", account).is(200, `{"data":[{"currency":"USD","trade_cash":"980","settled_cash":"990","unsettled_debits":"20","unsettled_credits":"10"}]}`)
		}},
		{"dated: by every state", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account, "settlement.date", monday), c.trade(exchange, account), c.trade(exchange, account))
			c.delete("/trades/%s", ids[2]).status(202)
			for i, state := range []string{"settled", "open", "canceled"} {
				c.get(list+"?state=%s", account, state).has(200, `{"data":[{"trade_id":%q}]}`, ids[i])
			}
			c.get(list, account).has(200, `{"data":[{"trade_id":%q},{"trade_id":%q}]}`, ids[0], ids[1])
		}},
		{"dated: an upload", func(c *client) {
			account := c.account()
			c.worked("insert", file(c.trade(exchange, account, "date", 20131008), c.trade(exchange, account), c.trade(exchange, account, "date", 20131001)), 3, 0)
			c.get("/accounts/%d/positions/AAPL?view=full", account).has(200, `{"quantity":"200","settled_quantity":"100"}`)
		}},
	}
}
