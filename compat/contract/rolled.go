package contract

import "fmt"

// rolledCases go on where [rollCases] ended: what clients see between and during rolls.
func rolledCases() []testCase {
	return []testCase{
		{"roll: the same date again, and back", func(c *client) {
			c.roll(20131112)
			account := c.account()
			id := c.one(c.buy(account, "1", "1", "date", 20131113))
			c.roll(20131112)
			c.operate("/business-date", obj{"date": 20131111}).fails(400, "malformed_request")
			c.get("/business-date").is(200, `{"date":20131112}`)
			c.get("/trades/%s", id).has(200, `{"state":"new"}`)
			c.journal(account)
		}},
		{"roll: the same date from many at once", func(c *client) {
			c.roll(20131112)
			account := c.account()
			id := c.one(c.buy(account, "1", "1", "date", 20131113))
			for _, a := range c.together(6, func(int) answer { return c.operate("/business-date", obj{"date": 20131113}) }) {
				a.is(202, `{"date":20131113}`)
			}
			c.journal(account, on(20131113, id, "open 1 -1 0 0"))
		}},
		{"roll: the list of trades follows the date", func(c *client) {
			c.roll(20131113)
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20131113), c.buy(account, "2", "1", "date", 20131114))
			c.get("/accounts/%d/trades", account).has(200, `{"data":[{"trade_id":%q}]}`, ids[0])
			c.roll(20131114)
			c.get("/accounts/%d/trades", account).has(200, `{"data":[{"trade_id":%q,"running_position":"3"}]}`, ids[1])
			c.get("/accounts/%d/trades?date=20131113", account).has(200, `{"data":[{"trade_id":%q,"running_position":"1"}]}`, ids[0])
			c.roll(20131115)
			c.get("/accounts/%d/trades", account).is(200, `{"data":[]}`)
		}},
		{"roll: running position is that of the opening, not of the booking", func(c *client) {
			c.roll(20131115)
			account := c.account()
			early := c.one(c.buy(account, "10", "1", "date", 20131118))
			late := c.one(c.buy(account, "5", "1", "date", 20131115))
			c.get("/accounts/%d/trades/%s", account, late).has(200, `{"running_position":"5"}`)
			c.roll(20131118)
			c.get("/accounts/%d/trades/%s", account, early).has(200, `{"running_position":"15"}`)
			c.get("/accounts/%d/trades/%s", account, late).has(200, `{"running_position":"5"}`)
		}},
		{"roll: a settled trade cannot be cancelled or replaced, and is repeated", func(c *client) {
			c.roll(20131118)
			account := c.account()
			t := c.buy(account, "5", "1", "date", 20131118)
			id := c.one(t)
			c.roll(20131121)
			c.get("/trades/%s", id).has(200, `{"state":"settled"}`)
			c.delete("/trades/%s", id).fails(409, "trade_settled")
			c.post("/trades", []obj{c.trade(exchange, account, "cancel_trade_id", t["client_trade_id"])}).fails(409, "trade_settled")
			c.post("/trades", []obj{t}).has(202, `[{"trade_id":%q}]`, id)
			c.post("/trades", []obj{changed(t, "price", "2")}).fails(409, "client_trade_id_conflict")
		}},
		{"roll: a late trade after rolls", func(c *client) {
			c.roll(20131121)
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20131118), c.buy(account, "2", "1", "date", 20131119))
			c.get("/trades/%s", ids[0]).has(200, `{"state":"settled"}`)
			c.get("/trades/%s", ids[1]).has(200, `{"state":"open"}`)
			c.journal(account, on(20131121, ids[0], "open 1 -1 0 0"), on(20131121, ids[0], "settle 0 0 1 -1"), on(20131121, ids[1], "open 2 -2 0 0"))
		}},
		{"roll: when-issued does not settle", func(c *client) {
			c.roll(20131121)
			id := c.one(c.buy(c.account(), "1", "1", "date", 20131121, "is_when_issued", true))
			c.roll(20131202)
			c.get("/trades/%s", id).has(200, `{"state":"open","settle_date":99991231}`)
		}},
		{"roll: a full view keeps what is not settled yet", func(c *client) {
			c.roll(20131202)
			account := c.account()
			c.one(c.buy(account, "5", "1", "date", 20131202, "settlement.date", 20131202))
			c.one(c.sell(account, "5", "1", "date", 20131202, "settlement.date", 20131203))
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
			c.get("/accounts/%d/positions?view=full", account).has(200, `{"data":[{"quantity":"0","settled_quantity":"5"}]}`)
			c.roll(20131203)
			c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[]}`)
		}},
		{"roll: a cancel between opening and settlement", func(c *client) {
			c.roll(20131203)
			account := c.account()
			id := c.one(c.sell(account, "100", "167.41", "date", 20131203))
			c.roll(20131204)
			c.delete("/trades/%s", id).status(202)
			c.roll(20131209)
			c.journal(account, on(20131203, id, "open -100 16741 0 0"), on(20131203, id, "sec_fee 0 -0.3 0 0"), on(20131203, id, "taf 0 -0.02 0 0"),
				on(20131204, id, "cancel 100 -16741 0 0"), on(20131204, id, "sec_fee_cancel 0 0.3 0 0"), on(20131204, id, "taf_cancel 0 0.02 0 0"))
			c.get("/accounts/%d/balances", account).is(200, `{"data":[{"currency":"USD","trade_cash":"0","settled_cash":"0","unsettled_debits":"0","unsettled_credits":"0"}]}`)
		}},
		{"roll: bookings beside it wait, and none is lost", func(c *client) {
			c.roll(20131209)
			account := c.account()
			const each = 6
			rolled := make(chan answer, 1)
			var answers []answer
			for i, batch := range c.batches(8, each, func(i int) answer {
				if i == 2 {
					rolled <- c.operate("/business-date", obj{"date": 20131210})
				}
				return c.post("/trades", []obj{c.buy(account, "1", "1", "date", 20131210)})
			}) {
				if len(batch) != each {
					c.Fatalf("client %d made %d calls", i, len(batch))
				}
				answers = append(answers, batch...)
			}
			(<-rolled).status(202)
			for _, a := range answers {
				id := a.list(202)[0]["trade_id"]
				c.get("/trades/%s", id).has(200, `{"state":"open"}`)
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"%d"}]}`, 8*each)
			rows := c.walk(fmt.Sprintf("/accounts/%d/journal", account), 1000, nil)
			if len(rows) != 8*each || count(rows, "date")[rows[0]["date"]] != len(rows) || say(rows[0]["date"]) != "20131210" {
				c.Fatalf("%d journal rows: %v", len(rows), rows)
			}
		}},
		{"roll: a month at once", func(c *client) {
			c.roll(20131210)
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20131210), c.buy(account, "2", "1", "date", 20131223), c.buy(account, "4", "1", "date", 20131230), c.buy(account, "8", "1", "date", 20140110),
				c.buy(account, "16", "1", "date", 20140113))
			c.roll(20140110)
			c.get("/business-date").is(200, `{"date":20140110}`)
			c.journal(account, on(20131210, ids[0], "open 1 -1 0 0"), on(20131213, ids[0], "settle 0 0 1 -1"), on(20131223, ids[1], "open 2 -2 0 0"), on(20131227, ids[1], "settle 0 0 2 -2"),
				on(20131230, ids[2], "open 4 -4 0 0"), on(20140103, ids[2], "settle 0 0 4 -4"), on(20140110, ids[3], "open 8 -8 0 0"))
			c.get("/trades/%s", ids[4]).has(200, `{"state":"new"}`)
		}},
	}
}
