package contract

import "fmt"

// clients is how many call at the same time.
const clients = 16

// raceCases: many clients at once on few accounts.
func raceCases() []testCase {
	return []testCase{
		{"at once: sums are right and ids are unique", func(c *client) {
			accounts := []int64{c.account(), c.account(), c.account()}
			const calls, each = 160, 3
			answers := make([]answer, 0, calls)
			for _, batch := range c.batches(clients, calls/clients, func(i int) answer {
				return c.post("/trades", c.many(each, accounts[i%3], func(j int) []any {
					if (i+j)%2 == 0 {
						return []any{"quantity", "3", "price", "2"}
					}
					return []any{"quantity", "1", "price", "2", "side.direction", "sell", "fees.omit_sec", true, "fees.omit_taf", true}
				}))
			}) {
				answers = append(answers, batch...)
			}
			seen := map[any]bool{}
			for _, a := range answers {
				for _, row := range a.list(202) {
					if seen[row["trade_id"]] {
						c.Fatalf("trade id %v twice", row["trade_id"])
					}
					seen[row["trade_id"]] = true
				}
			}
			if len(seen) != calls*each {
				c.Fatalf("%d ids", len(seen))
			}
			for n, account := range accounts {
				buys, sells := 0, 0
				for i := range calls {
					for j := range each {
						if i%3 == n && (i+j)%2 == 0 {
							buys++
						} else if i%3 == n {
							sells++
						}
					}
				}
				c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"%d"}]}`, 3*buys-sells)
				c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":"%d","unsettled_debits":"%d","unsettled_credits":"%d"}]}`, 2*sells-6*buys, 6*buys, 2*sells)
				if rows := c.walk(fmt.Sprintf("/accounts/%d/trades?date=%d", account, monday), 50, nil); len(rows) != buys+sells {
					c.Fatalf("%d of %d trades are listed", len(rows), buys+sells)
				}
			}
		}},
		{"at once: running positions are each a step from another", func(c *client) {
			account := c.account()
			for _, batch := range c.batches(8, 5, func(int) answer { return c.post("/trades", []obj{c.buy(account, "1", "1")}) }) {
				for _, a := range batch {
					a.status(202)
				}
			}
			running := count(c.walk(fmt.Sprintf("/accounts/%d/trades?date=%d", account, monday), 1000, nil), "running_position")
			for i := 1; i <= 40; i++ {
				if running[say(i)] != 1 {
					c.Fatalf("running position %d stands %d times: %v", i, running[say(i)], running)
				}
			}
		}},
		{"at once: the same trade is booked once and all get its id", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			answers := c.together(clients, func(int) answer { return c.post("/trades", []obj{t}) })
			id := answers[0].list(202)[0]["trade_id"]
			for _, a := range answers {
				a.is(202, `[{"client_trade_id":%q,"trade_id":%q}]`, t["client_trade_id"], id)
			}
			c.journal(account, fmt.Sprintf("0 %s AAPL USD open 100 -16741 0 0", id))
		}},
		{"at once: the same call of many trades", func(c *client) {
			a, b := c.two()
			trades := c.many(20, a, func(i int) []any { return []any{"account_id", []int64{a, b}[i%2]} })
			backwards := make([]obj, len(trades))
			for i, t := range trades {
				backwards[len(trades)-1-i] = t
			}
			ids := map[any]any{}
			for _, got := range c.together(8, func(i int) answer { return c.post("/trades", [][]obj{trades, backwards}[i%2]) }) {
				for _, row := range got.list(202) {
					if known, ok := ids[row["client_trade_id"]]; ok && known != row["trade_id"] {
						c.Fatalf("%v has ids %v and %v", row["client_trade_id"], known, row["trade_id"])
					}
					ids[row["client_trade_id"]] = row["trade_id"]
				}
			}
			for _, account := range []int64{a, b} {
				c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"1000"}]}`)
			}
		}},
		{"at once: of other contents under one pair one is booked", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			booked, quantity := 0, 0
			for i, a := range c.together(clients, func(i int) answer { return c.post("/trades", []obj{changed(t, "quantity", say(i+1))}) }) {
				if a.err == nil && a.code == 202 {
					booked, quantity = booked+1, i+1
				} else {
					a.fails(409, "client_trade_id_conflict")
				}
			}
			if booked != 1 {
				c.Fatalf("%d were booked", booked)
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"%d"}]}`, quantity)
		}},
		{"at once: a trade is cancelled once", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account))
			done := 0
			for _, a := range c.together(clients, func(int) answer { return c.delete("/trades/%s", id) }) {
				if a.err == nil && a.code == 202 {
					done++
				} else {
					a.fails(409, "trade_already_canceled")
				}
			}
			if done != 1 {
				c.Fatalf("cancelled %d times", done)
			}
			c.journal(account, "0 "+id+" AAPL USD open 100 -16741 0 0", "0 "+id+" AAPL USD cancel -100 16741 0 0")
		}},
		{"at once: a trade is replaced by many, cancelled once", func(c *client) {
			account := c.account()
			old := c.trade(exchange, account)
			id := c.one(old)
			for _, a := range c.together(8, func(int) answer {
				return c.post("/trades", []obj{c.buy(account, "1", "1", "cancel_trade_id", old["client_trade_id"])})
			}) {
				a.status(202)
			}
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"8"}]}`)
			if rows := c.walk(fmt.Sprintf("/accounts/%d/journal", account), 1000, nil); len(rows) != 10 {
				c.Fatalf("journal: %v", rows)
			}
		}},
		{"at once: transfers in both directions", func(c *client) {
			a, b := c.two()
			for _, got := range c.together(32, func(i int) answer {
				from, to := a, b
				if i%2 == 0 {
					from, to = b, a
				}
				return c.post("/trades", []obj{c.trade(transfer, from, "target_account_id", to, "quantity", say(1+i%2), "price", "1")})
			}) {
				got.status(202)
			}
			c.get("/accounts/%d/positions", a).has(200, `{"data":[{"quantity":"16"}]}`)
			c.get("/accounts/%d/positions", b).has(200, `{"data":[{"quantity":"-16"}]}`)
			c.get("/accounts/%d/balances", a).has(200, `{"data":[{"trade_cash":"-16","unsettled_debits":"32","unsettled_credits":"16"}]}`)
			c.get("/accounts/%d/balances", b).has(200, `{"data":[{"trade_cash":"16","unsettled_debits":"16","unsettled_credits":"32"}]}`)
		}},
		{"at once: calls that are refused leave nothing", func(c *client) {
			account := c.account()
			for i, a := range c.together(clients, func(i int) answer {
				trades := c.many(3, account, nil)
				if i%2 == 0 {
					edit(trades[2], "cancel_trade_id", "never")
				}
				return c.post("/trades", trades)
			}) {
				if i%2 == 0 {
					a.fails(404, "trade_not_found")
				} else {
					a.status(202)
				}
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"2400"}]}`)
		}},
		{"at once: every client reads its own writes", func(c *client) {
			account := c.account()
			for _, batch := range c.batches(clients, 4, func(int) answer {
				t := c.trade(exchange, account)
				if a := c.post("/trades", []obj{t}); a.err != nil || a.code != 202 {
					return a
				}
				return c.find(account, t["client_trade_id"])
			}) {
				for _, a := range batch {
					a.has(200, `{"state":"open"}`)
				}
			}
		}},
	}
}

// batches lets n clients make that many calls each, one after another; call gets a number of its own.
func (c *client) batches(n, calls int, call func(i int) answer) [][]answer {
	all := make([][]answer, n)
	c.together(n, func(client int) answer {
		for i := range calls {
			all[client] = append(all[client], call(client*calls+i))
		}
		return answer{}
	})
	return all
}
