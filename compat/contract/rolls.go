package contract

import "fmt"

// on gives a journal row's line in AAPL and USD.
func on(date int, trade, rest string) string {
	return fmt.Sprintf("%d %s AAPL USD %s", date, trade, rest)
}

// rollCases: the business date and what a roll does, day by day. Each begins on a day that is not before the end of the last one.
func rollCases() []testCase {
	return []testCase{
		{"roll: the first date settles what is due", func(c *client) {
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20130926), c.buy(account, "2", "1", "date", 20130930), c.buy(account, "4", "1", "date", 20130925))
			for _, id := range ids {
				c.get("/trades/%s", id).has(200, `{"state":"open"}`)
			}
			c.roll(20131001)
			c.get("/business-date").is(200, `{"date":20131001}`)
			for i, state := range []string{"settled", "open", "settled"} {
				c.get("/trades/%s", ids[i]).has(200, `{"state":%q}`, state)
			}
			c.journal(account, on(0, ids[0], "open 1 -1 0 0"), on(0, ids[1], "open 2 -2 0 0"), on(0, ids[2], "open 4 -4 0 0"),
				on(20131001, ids[0], "settle 0 0 1 -1"), on(20131001, ids[2], "settle 0 0 4 -4"))
		}},
		{"roll: new, open, settled", func(c *client) {
			c.roll(20131003)
			account := c.account()
			id := c.one(c.buy(account, "10", "2", "date", 20131004, "fees.commission", "1"))
			expect := func(state string, running, quantity, settled, trade, cash, debits string) {
				c.Helper()
				c.get("/trades/%s", id).has(200, `{"state":%q,"settle_date":20131009}`, state)
				c.get("/accounts/%d/trades/%s", account, id).has(200, `{"running_position":%s}`, running)
				if quantity == "" {
					c.get("/accounts/%d/positions?view=full", account).is(200, `{"data":[]}`)
					c.get("/accounts/%d/balances", account).is(200, `{"data":[]}`)
					return
				}
				c.get("/accounts/%d/positions/AAPL?view=full", account).has(200, `{"quantity":%q,"settled_quantity":%q}`, quantity, settled)
				c.get("/accounts/%d/balances", account).is(200, `{"data":[{"currency":"USD","trade_cash":%q,"settled_cash":%q,"unsettled_debits":%q,"unsettled_credits":"0"}]}`, trade, cash, debits)
			}
			expect("new", "null", "", "", "", "", "")
			c.roll(20131004)
			expect("open", `"10"`, "10", "0", "-21", "0", "21")
			c.roll(20131008)
			expect("open", `"10"`, "10", "0", "-21", "0", "21")
			c.roll(20131009)
			expect("settled", `"10"`, "10", "10", "-21", "-21", "0")
			c.journal(account, on(20131004, id, "open 10 -20 0 0"), on(20131004, id, "commission 0 -1 0 0"), on(20131009, id, "settle 0 0 10 -20"), on(20131009, id, "commission_settle 0 0 0 -1"))
		}},
		{"roll: each day in turn", func(c *client) {
			c.roll(20131009)
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20131011), c.buy(account, "2", "1", "date", 20131010), c.buy(account, "4", "1", "date", 20131009))
			c.roll(20131016)
			c.get("/business-date").is(200, `{"date":20131016}`)
			for i, state := range []string{"open", "settled", "settled"} {
				c.get("/trades/%s", ids[i]).has(200, `{"state":%q}`, state)
			}
			c.journal(account, on(20131009, ids[2], "open 4 -4 0 0"), on(20131010, ids[1], "open 2 -2 0 0"), on(20131011, ids[0], "open 1 -1 0 0"),
				on(20131015, ids[2], "settle 0 0 4 -4"), on(20131016, ids[1], "settle 0 0 2 -2"))
			for i, running := range []string{"7", "6", "4"} {
				c.get("/accounts/%d/trades/%s", account, ids[i]).has(200, `{"running_position":%q}`, running)
			}
		}},
		{"roll: in a day first what opens, then what settles, by trade id", func(c *client) {
			c.roll(20131017)
			account := c.account()
			today, tomorrow := []any{"date", 20131017, "settlement.date", 20131018}, []any{"date", 20131018}
			ids := c.book(c.buy(account, "1", "1", today...), c.buy(account, "2", "1", tomorrow...), c.buy(account, "4", "1", today...), c.buy(account, "8", "1", tomorrow...),
				c.buy(account, "16", "1", "date", 20131018, "settlement.date", 20131018))
			c.roll(20131018)
			c.journal(account, on(20131017, ids[0], "open 1 -1 0 0"), on(20131017, ids[2], "open 4 -4 0 0"),
				on(20131018, ids[1], "open 2 -2 0 0"), on(20131018, ids[3], "open 8 -8 0 0"), on(20131018, ids[4], "open 16 -16 0 0"),
				on(20131018, ids[0], "settle 0 0 1 -1"), on(20131018, ids[2], "settle 0 0 4 -4"), on(20131018, ids[4], "settle 0 0 16 -16"))
			for i, running := range []string{"1", "7", "5", "15", "31"} {
				c.get("/accounts/%d/trades/%s", account, ids[i]).has(200, `{"running_position":%q}`, running)
			}
		}},
		{"roll: days of a weekend are days", func(c *client) {
			c.roll(20131018)
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20131019), c.buy(account, "2", "1", "date", 20131018, "settlement.date", 20131020))
			c.roll(20131021)
			c.journal(account, on(20131018, ids[1], "open 2 -2 0 0"), on(20131019, ids[0], "open 1 -1 0 0"), on(20131020, ids[1], "settle 0 0 2 -2"))
		}},
		{"roll: what was cancelled neither opens nor settles", func(c *client) {
			c.roll(20131021)
			account := c.account()
			ids := c.book(c.buy(account, "1", "1", "date", 20131022), c.buy(account, "2", "1", "date", 20131022), c.buy(account, "4", "1", "date", 20131021))
			c.delete("/trades/%s", ids[0]).status(202)
			c.roll(20131022)
			c.delete("/trades/%s", ids[1]).status(202)
			c.delete("/trades/%s", ids[2]).status(202)
			c.roll(20131025)
			for _, id := range ids {
				c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			}
			c.journal(account, on(20131021, ids[2], "open 4 -4 0 0"), on(20131022, ids[1], "open 2 -2 0 0"), on(20131022, ids[1], "cancel -2 2 0 0"), on(20131022, ids[2], "cancel -4 4 0 0"))
		}},
		{"roll: of two new trades the replaced one does not open", func(c *client) {
			c.roll(20131025)
			account := c.account()
			old := c.buy(account, "1", "1", "date", 20131028)
			first := c.one(old)
			second := c.one(c.buy(account, "2", "1", "date", 20131029, "cancel_trade_id", old["client_trade_id"]))
			c.roll(20131029)
			c.get("/trades/%s", first).has(200, `{"state":"canceled","replaced_by":%q}`, second)
			c.get("/trades/%s", second).has(200, `{"state":"open","replaces":%q}`, first)
			c.journal(account, on(20131029, second, "open 2 -2 0 0"))
		}},
		{"roll: a trade between two accounts", func(c *client) {
			c.roll(20131029)
			a, b := c.two()
			id := c.one(c.trade(allocation, a, "target_account_id", b, "date", 20131030, "side.direction", "sell", "quantity", "10", "price", "2", "fees.commission", "3", "interest.accrued", "1"))
			c.roll(20131104)
			c.get("/trades/%s", id).has(200, `{"state":"settled","settle_date":20131104}`)
			c.journal(a, on(20131030, id, "open -10 21 0 0"), on(20131030, id, "commission 0 -3 0 0"), on(20131104, id, "settle 0 0 -10 21"), on(20131104, id, "commission_settle 0 0 0 -3"))
			c.journal(b, on(20131030, id, "open 10 -21 0 0"), on(20131104, id, "settle 0 0 10 -21"))
			c.get("/accounts/%d/positions/AAPL?view=full", b).has(200, `{"quantity":"10","settled_quantity":"10"}`)
			c.get("/accounts/%d/balances", a).is(200, `{"data":[{"currency":"USD","trade_cash":"18","settled_cash":"18","unsettled_debits":"0","unsettled_credits":"0"}]}`)
		}},
		{"roll: every fee settles in a row of its own", func(c *client) {
			c.roll(20131104)
			account := c.account()
			id := c.one(c.sell(account, "100", "167.41", "date", 20131105, "fees.commission", "1"))
			c.roll(20131108)
			c.journal(account, on(20131105, id, "open -100 16741 0 0"), on(20131105, id, "commission 0 -1 0 0"), on(20131105, id, "sec_fee 0 -0.3 0 0"), on(20131105, id, "taf 0 -0.02 0 0"),
				on(20131108, id, "settle 0 0 -100 16741"), on(20131108, id, "commission_settle 0 0 0 -1"), on(20131108, id, "sec_fee_settle 0 0 0 -0.3"), on(20131108, id, "taf_settle 0 0 0 -0.02"))
		}},
		{"roll: debits and credits settle one by one", func(c *client) {
			c.roll(20131108)
			account := c.account()
			none := []any{"fees.omit_sec", true, "fees.omit_taf", true, "date", 20131108}
			c.cash(account, "deposit", "100")
			c.book(c.buy(account, "10", "1", "date", 20131108, "settlement.date", 20131109), c.buy(account, "20", "1", "date", 20131108, "settlement.date", 20131110),
				c.sell(account, "5", "1", append(none, "settlement.date", 20131110)...), c.sell(account, "6", "1", append(none, "settlement.date", 20131111)...))
			row := `{"data":[{"currency":"USD","trade_cash":"81","settled_cash":%q,"unsettled_debits":%q,"unsettled_credits":%q}]}`
			c.get("/accounts/%d/balances", account).is(200, row, "100", "30", "11")
			c.roll(20131109)
			c.get("/accounts/%d/balances", account).is(200, row, "90", "20", "11")
			c.roll(20131110)
			c.get("/accounts/%d/balances", account).is(200, row, "75", "0", "6")
			c.roll(20131111)
			c.get("/accounts/%d/balances", account).is(200, row, "81", "0", "0")
		}},
	}
}
