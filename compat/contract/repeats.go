package contract

// repeatCases: the same trade again books nothing and gives the first id.
func repeatCases() []testCase {
	var cases []testCase
	// What is the same after normalising: the edits of the first trade, and of the second.
	for _, same := range []struct {
		name          string
		kind          string
		first, second []any
	}{
		{"to the letter", exchange, nil, nil},
		{"10 and 10.0", exchange, []any{"quantity", "10"}, []any{"quantity", "10.0"}},
		{"zeros at the front", exchange, []any{"price", "0.5"}, []any{"price", "00.50"}},
		{"nothing before the point", exchange, []any{"price", ".5"}, []any{"price", "0.5"}},
		{"seconds and milliseconds", exchange, []any{"timestamp", 1381132800}, []any{"timestamp", 1381132800000}},
		{"account as number and string", exchange, nil, []any{"account_id", "string"}},
		{"contra_clearing_num's old name", bilateral, nil, []any{"contra_clearing_num", gone{}, "contra_dtc_num", "0161"}},
		{"accrued's old name", exchange, []any{"interest.accrued", "1.5"}, []any{"fixed_income.accrued_interest", "1.50"}},
		{"no commission and zero", exchange, nil, []any{"fees.commission", "0.00"}},
		{"flags left out and false", exchange, nil, []any{"fees", obj{"commission": "0", "omit_sec": false, "omit_taf": false, "omit_bill": false}}},
		{"fees without content", exchange, nil, []any{"fees", obj{}}},
		{"the settlement currency left out and given", exchange, nil, []any{"settlement.currency", "USD"}},
		{"the settlement currency of the instrument", exchange, []any{"instrument.currency", "EUR"}, []any{"instrument.currency", "EUR", "settlement.currency", "EUR"}},
		{"settlement without content", exchange, nil, []any{"settlement", obj{}}},
		{"not when-issued, left out and given", exchange, nil, []any{"is_when_issued", false}},
		{"null and left out", exchange, nil, []any{"user_data", nil, "locate", nil, "order_id", nil, "settlement", nil, "fees", nil}},
		{"unknown fields", exchange, []any{"colour", "red"}, []any{"shade", "dark", "side.shade", 1}},
	} {
		cases = append(cases, testCase{"repeat: " + same.name, func(c *client) {
			account := c.account()
			first := c.trade(same.kind, account, same.first...)
			second := changed(c.trade(same.kind, account, same.second...), "client_trade_id", first["client_trade_id"])
			if second["account_id"] == "string" {
				second["account_id"] = say(account)
			}
			id := c.one(first)
			c.post("/trades", []obj{second}).is(202, `[{"client_trade_id":%q,"trade_id":%q}]`, first["client_trade_id"], id)
			c.post("/trades", []obj{second, first}).has(202, `[{"trade_id":%q},{"trade_id":%q}]`, id, id)
			if rows := c.get("/accounts/%d/journal", account).status(200); len(rows.objects(rows.object()["data"])) != 1 {
				c.Fatalf("booked more than once: %s", rows.short())
			}
		}})
	}
	return append(cases,
		testCase{"repeat: twice in one call", func(c *client) {
			account := c.account()
			t := c.buy(account, "10", "1")
			ids := c.book(t, c.buy(account, "1", "1"), changed(t, "quantity", "10.0"))
			if ids[0] != ids[2] || ids[0] == ids[1] {
				c.Fatalf("%v", ids)
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"11"}]}`)
		}},
		testCase{"repeat: some of a call", func(c *client) {
			account := c.account()
			trades := c.many(6, account, nil)
			first := c.book(trades[1], trades[4])
			ids := c.book(trades...)
			if ids[1] != first[0] || ids[4] != first[1] {
				c.Fatalf("%v, the repeats among them should be %v", ids, first)
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"600"}]}`)
		}},
		testCase{"repeat: of a cancelled trade", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			id := c.one(t)
			c.delete("/trades/%s", id).is(202, `{}`)
			c.post("/trades", []obj{t}).has(202, `[{"trade_id":%q}]`, id)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
		}},
		testCase{"repeat: of a replaced trade and of the one that replaces it", func(c *client) {
			account := c.account()
			old := c.buy(account, "10", "1")
			replacing := c.buy(account, "7", "1", "cancel_trade_id", old["client_trade_id"])
			first, second := c.one(old), c.one(replacing)
			c.post("/trades", []obj{replacing, old, replacing}).has(202, `[{"trade_id":%q},{"trade_id":%q},{"trade_id":%q}]`, second, first, second)
			c.get("/trades/%s", first).has(200, `{"state":"canceled","replaced_by":%q}`, second)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"7"}]}`)
		}},
		testCase{"repeat: of a trade that replaced, when it was replaced itself", func(c *client) {
			account := c.account()
			a := c.buy(account, "1", "1")
			b := c.buy(account, "2", "1", "cancel_trade_id", a["client_trade_id"])
			d := c.buy(account, "3", "1", "cancel_trade_id", b["client_trade_id"])
			ids := c.book(a, b, d)
			c.post("/trades", []obj{b}).has(202, `[{"trade_id":%q}]`, ids[1])
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"3"}]}`)
		}},
		testCase{"repeat: of a trade between two accounts", func(c *client) {
			a, b := c.two()
			t := c.trade(transfer, a, "target_account_id", b)
			id := c.one(t)
			c.post("/trades", []obj{changed(t, "target_account_id", say(b), "quantity", "100.00")}).has(202, `[{"trade_id":%q}]`, id)
			c.get("/accounts/%d/positions", b).has(200, `{"data":[{"quantity":"-100"}]}`)
		}},
		testCase{"rejected is not remembered: malformed", func(c *client) {
			t := c.trade(exchange, c.account())
			c.post("/trades", []obj{changed(t, "quantity", "-5")}).fails(400, "malformed_trade")
			c.one(t)
		}},
		testCase{"rejected is not remembered: an unknown account", func(c *client) {
			account := c.number()
			t := c.trade(exchange, account)
			c.post("/trades", []obj{changed(t, "quantity", "5")}).fails(422, "unknown_account")
			c.operate("/accounts", obj{"account_id": account, "entity_id": entity, "name": "late"}).status(201)
			c.one(t)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"100"}]}`)
		}},
		testCase{"rejected is not remembered: beside a conflict", func(c *client) {
			account := c.account()
			kept, other := c.trade(exchange, account), c.trade(exchange, account)
			c.one(kept)
			c.post("/trades", []obj{other, changed(kept, "price", "1")}).fails(409, "client_trade_id_conflict")
			c.one(changed(other, "quantity", "5"))
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"105"}]}`)
		}},
		testCase{"rejected is not remembered: replacing what was never booked", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account, "cancel_trade_id", "later")
			c.post("/trades", []obj{t}).fails(404, "trade_not_found")
			c.one(c.trade(exchange, account, "client_trade_id", "later"))
			c.one(t)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"100"}]}`)
		}},
	)
}
