package contract

import "time"

// storedCases: the whole trade as it is stored.
func storedCases() []testCase {
	return []testCase{
		{"stored: an exchange trade", func(c *client) {
			account := c.account()
			t := c.buy(account, "100", "167.41", "fees.commission", "1.00")
			id := c.one(t)
			want := `{"trade_id":%q,"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":%q,"date":20131007,"account_id":"%d","quantity":"100","price":"167.41",
				"instrument":{"identifier":"AAPL","identifier_type":"ticker","country":"US","currency":"USD"},"side":{"direction":"buy"},
				"capacity":"agency","mic":"XNAS","exec_mpid":"EXEC","settlement":{"currency":"USD"},"fees":{"commission":"1","omit_sec":false,"omit_taf":false,"omit_bill":false},
				"is_when_issued":false,"state":"open","settle_date":20131010,"gross_amount":"16741","sec_fee":"0","taf_fee":"0","net_amount":"-16742",
				"canceled_at":null,"replaced_by":null,"replaces":null}`
			c.get("/trades/%s", id).has(200, want, id, t["client_trade_id"], account)
			c.find(account, t["client_trade_id"]).has(200, want, id, t["client_trade_id"], account)
		}},
		{"stored: a bilateral trade", func(c *client) {
			id := c.one(c.trade(bilateral, c.account(), "side.direction", "sell"))
			c.get("/trades/%s", id).has(200, `{"type":"bilateral_trade","capacity":"principal","exec_mpid":"EXEC","contra_mpid":"CONT","contra_clearing_num":"0161",
				"side":{"direction":"sell"},"gross_amount":"16741","sec_fee":"0.3","taf_fee":"0.02","net_amount":"16740.68"}`)
		}},
		{"stored: an away trade", func(c *client) {
			id := c.one(c.trade(away, c.account()))
			c.get("/trades/%s", id).has(200, `{"type":"away_trade","capacity":"mixed","exec_mpid":"EXEC","contra_mpid":"CONT","net_amount":"-16741"}`)
		}},
		{"stored: an allocation", func(c *client) {
			a, b := c.two()
			id := c.one(c.trade(allocation, a, "target_account_id", b, "side.direction", "sell", "fees.commission", "3", "interest.accrued", "2"))
			c.get("/trades/%s", id).has(200, `{"type":"allocation_trade","account_id":"%d","target_account_id":"%d","sec_fee":"0","taf_fee":"0","gross_amount":"16741","net_amount":"16740"}`, a, b)
		}},
		{"stored: what is kept as given", func(c *client) {
			id := c.one(c.trade(exchange, c.account(), "contra_side_qualifier", "short_exempt", "nscc_clearing", "0158", "last_market", "XNYS",
				"locate", obj{"id": "L-1", "source": "LEND"}, "behalf_of_account_id", "4711", "solicited", true, "registered_rep", "RR7", "branch_office", "NYC", "order_id", "ord-1",
				"user_data", obj{"a": []any{1, "two", nil, false}, "b": obj{"c": "d"}}))
			c.get("/trades/%s", id).has(200, `{"contra_side_qualifier":"short_exempt","nscc_clearing":"0158","last_market":"XNYS","locate":{"id":"L-1","source":"LEND"},
				"behalf_of_account_id":"4711","solicited":true,"registered_rep":"RR7","branch_office":"NYC","order_id":"ord-1","user_data":{"a":[1,"two",null,false],"b":{"c":"d"}}}`)
		}},
		{"stored: user data of any kind", func(c *client) {
			for _, data := range []string{`"text"`, `17`, `2.50`, `12345678901234567890`, `1e30`, `false`, `[]`, `{}`, `["ü","\u0041","<&>"]`, `"\u0000"`, `{"":{"a.b":[[]]}}`, `-0`, `1.0`} {
				t := c.trade(exchange, c.account())
				body := encode(c, t)
				c.post("/trades", "["+body[:len(body)-1]+`,"user_data":`+data+"}]").status(202)
				c.find(number(t["account_id"]), t["client_trade_id"]).has(200, `{"user_data":%s}`, data)
			}
		}},
		{"stored: much user data", func(c *client) {
			account := c.account()
			data := text(20_000, "ü<")[:30_000]
			id := c.one(c.trade(exchange, account, "user_data", data))
			c.get("/trades/%s", id).has(200, `{"user_data":%s}`, encode(c, data))
		}},
		{"stored: a call of 6 MiB", func(c *client) {
			account := c.account()
			trades := c.many(300, account, func(i int) []any { return []any{"user_data", text(20_000, string(rune('a'+i%26)))} })
			ids := c.book(trades...)
			for _, i := range []int{0, 150, 299} {
				c.get("/trades/%s", ids[i]).has(200, `{"user_data":%q}`, trades[i]["user_data"])
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"30000"}]}`)
		}},
		{"stored: instrument, side and interest", func(c *client) {
			id := c.one(c.trade(exchange, c.account(), "instrument", obj{"identifier": "US912828UN88", "identifier_type": "isin", "country": "US", "currency": "EUR"},
				"side", obj{"direction": "sell", "qualifier": "short", "position": "open"}, "interest", obj{"yield": "2.750", "accrued": "12.30", "accrued_days": 17}))
			c.get("/trades/%s", id).has(200, `{"instrument":{"identifier":"US912828UN88","identifier_type":"isin","country":"US","currency":"EUR"},
				"side":{"direction":"sell","qualifier":"short","position":"open"},"interest":{"yield":"2.75","accrued":"12.3","accrued_days":17}}`)
		}},
		{"stored: fees as omitted", func(c *client) {
			id := c.one(c.sell(c.account(), "10", "10", "fees", obj{"commission": "0.10", "omit_sec": true, "omit_taf": true, "omit_bill": true}))
			c.get("/trades/%s", id).has(200, `{"fees":{"commission":"0.1","omit_sec":true,"omit_taf":true,"omit_bill":true},"sec_fee":"0","taf_fee":"0","net_amount":"99.9"}`)
		}},
		{"stored: the currency of settlement", func(c *client) {
			account := c.account()
			ids := c.book(
				c.trade(exchange, account, "settlement.currency", "GBP", "instrument.currency", "EUR"),
				c.trade(exchange, account, "instrument.currency", "EUR"),
				c.trade(exchange, account, "instrument.currency", "EUR", "settlement.date", 20131011),
				c.trade(exchange, account, "instrument", obj{"identifier": "2588173", "identifier_type": "sedol"}))
			for i, want := range []string{"GBP", "EUR", "EUR", "USD"} {
				c.get("/trades/%s", ids[i]).has(200, `{"settlement":{"currency":%q}}`, want)
			}
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"currency":"EUR","trade_cash":"-33482"},{"currency":"GBP","trade_cash":"-16741"},{"currency":"USD","trade_cash":"-16741"}]}`)
		}},
		{"stored: booked_at is the time of booking", func(c *client) {
			before := time.Now().Add(-time.Minute).UnixMilli()
			id := c.one(c.trade(exchange, c.account()))
			at := number(c.get("/trades/%s", id).status(200).object()["booked_at"])
			if after := time.Now().Add(time.Minute).UnixMilli(); at < before || at > after {
				c.Fatalf("booked_at %d is not between %d and %d", at, before, after)
			}
		}},
		{"stored: ids are strings, times and dates are numbers", func(c *client) {
			a, b := c.two()
			first := c.one(c.trade(transfer, a, "target_account_id", b))
			second := c.one(c.trade(exchange, a, "cancel_trade_id", first))
			for _, id := range []string{first, second} {
				t := c.get("/trades/%s", id).status(200).object()
				for _, field := range []string{"trade_id", "account_id", "target_account_id", "replaced_by", "replaces"} {
					if _, ok := t[field].(string); t[field] != nil && !ok {
						c.Errorf("%s is %#v", field, t[field])
					}
				}
				for _, field := range []string{"timestamp", "date", "settle_date", "booked_at", "canceled_at"} {
					if _, text := t[field].(string); text {
						c.Errorf("%s is %#v", field, t[field])
					}
				}
			}
		}},
		{"unknown trade", func(c *client) {
			c.get("/trades/9000000000000000000").fails(404, "trade_not_found")
			c.find(c.account(), "never").fails(404, "trade_not_found")
		}},
		{"a trade's path that is no id", func(c *client) {
			for _, id := range []string{"abc", "1.5", "-1", "1x"} {
				c.get("/trades/%s", id).fails(400, "malformed_request")
			}
		}},
		{"a trade by client id needs account and id", func(c *client) {
			account := c.account()
			for _, query := range []string{"", "?account_id=" + say(account), "?client_trade_id=x", "?account_id=abc&client_trade_id=x", "?account_id=-1&client_trade_id=x"} {
				c.get("/trades%s", query).fails(400, "malformed_request")
			}
		}},
	}
}
