package contract

// settlementCases: what a client says about settlement.
func settlementCases() []testCase {
	settles := func(name string, want int, edits ...any) testCase {
		return testCase{"settlement: " + name, func(c *client) {
			account := c.account()
			for _, kind := range []string{exchange, bilateral, away} {
				c.get("/trades/%s", c.one(edit(c.trade(kind, account), edits...))).has(200, `{"settle_date":%d}`, want)
			}
			for _, kind := range []string{allocation, transfer} {
				c.get("/trades/%s", c.one(edit(c.trade(kind, account, "target_account_id", c.account()), edits...))).has(200, `{"settle_date":%d}`, want)
			}
		}}
	}
	return []testCase{
		settles("regular", 20131010),
		settles("irregular, on the trade date", 20131007, "settlement.date", 20131007),
		settles("irregular, a Saturday", 20131012, "settlement.date", 20131012),
		settles("irregular, a holiday", 20131014, "settlement.date", 20131014),
		settles("irregular, years from now", 20991231, "settlement.date", 20991231),
		settles("irregular, in the future of the contract's days", 21000101, "settlement.date", 21000101),
		settles("when-issued", 99991231, "is_when_issued", true),
		settles("when-issued, said as a date", 99991231, "settlement.date", 99991231),
		settles("when-issued with a date", 20131115, "is_when_issued", true, "settlement.date", 20131115),
		{"settlement: the date is kept as given", func(c *client) {
			account := c.account()
			ids := c.book(c.trade(exchange, account, "settlement.date", 20131010), c.trade(exchange, account))
			c.get("/trades/%s", ids[0]).has(200, `{"settle_date":20131010,"settlement":{"currency":"USD","date":20131010}}`)
			settlement, _ := c.get("/trades/%s", ids[1]).status(200).object()["settlement"].(obj)
			if settlement["date"] != nil {
				c.Fatalf("a date that nobody gave: %v", settlement)
			}
		}},
	}
}
