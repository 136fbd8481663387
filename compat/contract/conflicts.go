package contract

// conflictCases: other content under the same pair.
func conflictCases() []testCase {
	var cases []testCase
	for _, other := range []struct {
		name  string
		edits []any
	}{
		{"quantity", []any{"quantity", "100.00000001"}},
		{"price", []any{"price", "167.42"}},
		{"date", []any{"date", 20131008}},
		{"timestamp", []any{"timestamp", 1381132800465}},
		{"type", []any{"type", away, "contra_mpid", "CONT"}},
		{"direction", []any{"side.direction", "sell"}},
		{"position of the side", []any{"side.position", "open"}},
		{"identifier", []any{"instrument.identifier", "MSFT"}},
		{"identifier type", []any{"instrument.identifier_type", "isin"}},
		{"country", []any{"instrument.country", "CA"}},
		{"currency", []any{"instrument.currency", "CAD"}},
		{"capacity", []any{"capacity", "principal"}},
		{"mic", []any{"mic", "XNYS"}},
		{"exec_mpid", []any{"exec_mpid", "EXEC2"}},
		{"settlement currency", []any{"settlement.currency", "EUR"}},
		{"settlement date", []any{"settlement.date", 20131010}},
		{"commission", []any{"fees.commission", "0.01"}},
		{"omit_sec", []any{"fees.omit_sec", true}},
		{"omit_bill", []any{"fees.omit_bill", true}},
		{"accrued", []any{"interest.accrued", "1"}},
		{"when-issued", []any{"is_when_issued", true}},
		{"order id", []any{"order_id", "x"}},
		{"user data", []any{"user_data", obj{"x": 1}}},
		{"registered rep", []any{"registered_rep", "x"}},
		{"locate", []any{"locate", obj{"id": "1", "source": "x"}}},
	} {
		cases = append(cases, testCase{"conflict: other " + other.name, func(c *client) {
			account := c.account()
			first, beside := c.trade(exchange, account), c.trade(exchange, account)
			id := c.one(first)
			c.post("/trades", []obj{beside, changed(first, other.edits...)}).fails(409, "client_trade_id_conflict")
			c.unbooked(beside)
			c.get("/trades/%s", id).has(200, `{"quantity":"100","price":"167.41","date":20131007,"state":"open"}`)
		}})
	}
	return append(cases,
		testCase{"conflict: in one call", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			c.post("/trades", []obj{t, changed(t, "quantity", "5")}).fails(409, "client_trade_id_conflict")
			c.unbooked(t)
		}},
		testCase{"conflict: other cancel_trade_id", func(c *client) {
			account := c.account()
			first, second := c.trade(exchange, account), c.trade(exchange, account)
			ids := c.book(first, second)
			c.post("/trades", []obj{changed(second, "cancel_trade_id", first["client_trade_id"])}).fails(409, "client_trade_id_conflict")
			c.get("/trades/%s", ids[0]).has(200, `{"state":"open"}`)
		}},
		testCase{"conflict: other target", func(c *client) {
			a, b := c.two()
			t := c.trade(transfer, a, "target_account_id", b)
			c.one(t)
			c.post("/trades", []obj{changed(t, "target_account_id", c.account())}).fails(409, "client_trade_id_conflict")
		}},
		testCase{"conflict: after a cancel", func(c *client) {
			t := c.trade(exchange, c.account())
			id := c.one(t)
			c.delete("/trades/%s", id).status(202)
			c.post("/trades", []obj{changed(t, "quantity", "5")}).fails(409, "client_trade_id_conflict")
			c.get("/trades/%s", id).has(200, `{"state":"canceled","quantity":"100"}`)
		}},
		testCase{"conflict: after a replacement", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			c.book(t, c.trade(exchange, account, "cancel_trade_id", t["client_trade_id"]))
			c.post("/trades", []obj{changed(t, "quantity", "5")}).fails(409, "client_trade_id_conflict")
		}},
	)
}
