package contract

import "strings"

// fieldCases take an exchange trade and spoil one field.
func fieldCases() []testCase {
	var cases []testCase
	spoil := func(name, field string, values ...any) {
		cases = append(cases, testCase{"field " + field + ": " + name, func(c *client) {
			account := c.account()
			good := c.trade(exchange, account)
			for _, v := range values {
				c.post("/trades", []obj{good, c.trade(exchange, account, field, v)}).fails(400, "malformed_trade", "trades[1]."+field+":")
			}
			c.unbooked(good)
		}})
	}
	for _, field := range []string{"type", "timestamp", "client_trade_id", "date", "account_id", "quantity", "price", "instrument.identifier", "instrument.identifier_type",
		"instrument.country", "instrument.currency", "side.direction", "capacity", "mic", "exec_mpid"} {
		spoil("missing", field, gone{}, nil)
	}
	for _, field := range []string{"instrument", "side"} {
		cases = append(cases, testCase{"field " + field + ": missing", func(c *client) {
			c.refused(c.trade(exchange, c.account(), field, gone{}), field)
		}})
	}
	spoil("unknown", "type", "swap", "", "EXCHANGE_TRADE", 1)
	spoil("wrong kind", "timestamp", "2013-10-07T09:30:00Z", 1381132800.5, true, obj{})
	spoil("wrong kind", "client_trade_id", 17, true, []string{"x"})
	spoil("out of range", "client_trade_id", "", text(257, "x"), text(257, "é"))
	spoil("wrong kind", "date", "20131007", 20131007.5, true)
	spoil("out of range", "date", 0, 20001231, 21000102, 20130230, 20131301, 20130001, 20130229, 20131032, 201310071, 1381132800, -20131007)
	spoil("wrong kind", "account_id", "abc", "", 1.5, true, -5, "-5", " 5", obj{})
	spoil("wrong kind", "quantity", 100, 1.5, true, []string{"100"})
	spoil("out of range", "quantity", "0", "0.00", "-1", "-0.0000000001")
	spoil("wrong kind", "price", 167.41, true, obj{})
	spoil("out of range", "price", "-0.01", "-1")
	spoil("out of range", "instrument.identifier", "", text(33, "A"))
	spoil("wrong kind", "instrument.identifier", 5, true)
	spoil("letters that no identifier has", "instrument.identifier", "A*B", "A\tB", "Ä")
	spoil("unknown", "instrument.identifier_type", "ric", "TICKER", "", 1)
	spoil("wrong", "instrument.country", "us", "U", "USAA", 840, "U1")
	spoil("wrong", "instrument.currency", "usd", "US", "USDX", 840, "U$D")
	spoil("unknown", "side.direction", "short", "BUY", "", 1)
	spoil("unknown", "side.qualifier", "long", "SHORT", 1)
	spoil("unknown", "side.position", "flat", 1)
	spoil("unknown", "capacity", "dealer", "", 1)
	spoil("out of range", "mic", "", text(11, "X"), 5)
	spoil("out of range", "exec_mpid", "", text(11, "X"), 5)
	spoil("wrong kind", "settlement.currency", "usd", "US", 5)
	spoil("no day", "settlement.date", 20130230, "20131010", 5, true)
	spoil("before the trade date", "settlement.date", 20131006, 20121231)
	spoil("wrong kind", "fees.omit_sec", "true", 1)
	spoil("wrong kind", "fees.omit_taf", "false", 0)
	spoil("wrong kind", "fees.omit_bill", "x")
	spoil("wrong kind", "fees.commission", 5, true)
	spoil("wrong kind", "interest.yield", 5, "five")
	spoil("wrong kind", "interest.accrued", 5, true)
	spoil("wrong kind", "interest.accrued_days", "five", 1.5, true)
	spoil("wrong kind", "is_when_issued", "true", 1)
	spoil("wrong kind", "cancel_trade_id", true, obj{}, []string{"x"})
	spoil("wrong kind", "order_id", 5, true, obj{})
	spoil("out of range", "order_id", text(257, "x"))
	for _, field := range []string{"instrument", "side", "settlement", "fees", "interest"} {
		cases = append(cases, testCase{"field " + field + ": wrong kind", func(c *client) {
			for _, v := range []any{"x", 5, true, []string{}} {
				c.refused(c.trade(exchange, c.account(), field, v), field)
			}
		}})
	}
	return append(cases,
		testCase{"field side.qualifier: short on a buy", func(c *client) {
			c.refused(c.trade(exchange, c.account(), "side.qualifier", "short"), "side.qualifier:")
		}},
		testCase{"field date: the first and the last", func(c *client) {
			ids := c.book(c.trade(exchange, c.account(), "date", 20010101), c.trade(exchange, c.account(), "date", 21000101), c.trade(exchange, c.account(), "date", 20240229))
			c.get("/trades/%s", ids[0]).has(200, `{"date":20010101}`)
			c.get("/trades/%s", ids[1]).has(200, `{"date":21000101}`)
			c.get("/trades/%s", ids[2]).has(200, `{"date":20240229}`)
		}},
		testCase{"field timestamp: seconds are given back as milliseconds", func(c *client) {
			account := c.account()
			for _, v := range [][2]int64{{1381132800, 1381132800000}, {99999999999, 99999999999000}, {100000000000, 100000000000}, {1381132800464, 1381132800464}} {
				id := c.one(c.trade(exchange, account, "timestamp", v[0]))
				c.get("/trades/%s", id).has(200, `{"timestamp":%d}`, v[1])
				c.get("/accounts/%d/trades/%s", account, id).has(200, `{"created_at":%d}`, v[1])
			}
		}},
		testCase{"field client_trade_id: 256 characters", func(c *client) {
			for _, letter := range []string{"x", "é", "漢"} {
				t := c.trade(exchange, c.account(), "client_trade_id", text(256, letter))
				id := c.one(t)
				c.find(number(t["account_id"]), t["client_trade_id"]).has(200, `{"trade_id":%q,"client_trade_id":%q}`, id, t["client_trade_id"])
			}
		}},
		testCase{"field client_trade_id: any characters", func(c *client) {
			for _, id := range []string{"a b", "a/b", "a%2Fb", "a&b=c?d#e", `quote " and \`, "x", "'; drop", "1", "日本", "+"} {
				t := c.trade(exchange, c.account(), "client_trade_id", id)
				booked := c.one(t)
				c.find(number(t["account_id"]), id).has(200, `{"trade_id":%q}`, booked)
			}
		}},
		testCase{"field account_id: a string of digits", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account, "account_id", say(account)))
			c.get("/trades/%s", id).has(200, `{"account_id":"%d"}`, account)
		}},
		testCase{"field target_account_id: a string of digits", func(c *client) {
			account, target := c.two()
			id := c.one(c.trade(transfer, account, "target_account_id", say(target)))
			c.get("/trades/%s", id).has(200, `{"account_id":"%d","target_account_id":"%d"}`, account, target)
		}},
		testCase{"field instrument.identifier: 1 to 32 of letters, digits and marks", func(c *client) {
			account := c.account()
			for _, s := range []string{"A", text(32, "Z"), "BRK.B", "BRK/B", "PBR-A", "T_X", "SPX 100", "037833100", "aapl"} {
				id := c.one(c.trade(exchange, account, "instrument.identifier", s))
				c.get("/trades/%s", id).has(200, `{"instrument":{"identifier":%q}}`, s)
			}
		}},
		testCase{"field mic, exec_mpid: 1 and 10 characters", func(c *client) {
			for _, s := range []string{"X", text(10, "X")} {
				id := c.one(c.trade(exchange, c.account(), "mic", s, "exec_mpid", s))
				c.get("/trades/%s", id).has(200, `{"mic":%q,"exec_mpid":%q}`, s, s)
			}
		}},
		testCase{"field capacity: each", func(c *client) {
			for _, s := range []string{"agency", "principal", "mixed", "riskless_principal"} {
				id := c.one(c.trade(exchange, c.account(), "capacity", s))
				c.get("/trades/%s", id).has(200, `{"capacity":%q}`, s)
			}
		}},
		testCase{"field side.position: open and close", func(c *client) {
			for _, s := range []string{"open", "close"} {
				id := c.one(c.trade(exchange, c.account(), "side.position", s))
				c.get("/trades/%s", id).has(200, `{"side":{"direction":"buy","position":%q}}`, s)
			}
		}},
		testCase{"field side.qualifier: short on a sell", func(c *client) {
			id := c.one(c.trade(exchange, c.account(), "side.direction", "sell", "side.qualifier", "short"))
			c.get("/trades/%s", id).has(200, `{"side":{"direction":"sell","qualifier":"short"}}`)
		}},
		testCase{"field order_id: 256 characters", func(c *client) {
			s := strings.Repeat("o", 256)
			c.get("/trades/%s", c.one(c.trade(exchange, c.account(), "order_id", s))).has(200, `{"order_id":%q}`, s)
		}},
		testCase{"element: not an object", func(c *client) {
			good := c.trade(exchange, c.account())
			for _, bad := range []any{1, "x", true, []obj{}} {
				c.post("/trades", []any{good, bad}).fails(400, "malformed_trade", "trades[1]")
			}
			c.unbooked(good)
		}},
		testCase{"unknown fields are ignored", func(c *client) {
			t := c.trade(exchange, c.account(), "colour", "red", "instrument.colour", obj{"x": 1}, "side.x", 1, "fees.x", "y", "settlement.x", nil)
			id := c.one(t)
			c.get("/trades/%s", id).has(200, `{"client_trade_id":%q,"state":"open"}`, t["client_trade_id"])
		}},
	)
}
