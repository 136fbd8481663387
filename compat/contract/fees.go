package contract

// feeCases: SEC fee and TAF by trade date, and the account's cash.
func feeCases() []testCase {
	var cases []testCase
	for _, f := range []struct {
		name            string
		date            int
		quantity, price string
		sec, taf, net   string
	}{
		{"rounded up to the cent", 20131007, "100", "167.41", "0.3", "0.02", "16740.68"},
		{"a share for a dollar", 20131007, "1", "1", "0.01", "0.01", "0.98"},
		{"a whole cent stays", 20131007, "10000", "100", "17.4", "1.19", "999981.41"},
		{"just over a whole cent", 20131007, "10000", "100.0001", "17.41", "1.19", "999982.4"},
		{"TAF just over a whole cent", 20131007, "10000.001", "1", "0.18", "1.2", "9998.621"},
		{"for nothing", 20131007, "10", "0", "0", "0.01", "-0.01"},
		{"part of a share", 20131007, "0.5", "0.01", "0.01", "0.01", "-0.015"},
		{"TAF at its cap", 20131007, "50000", "1", "0.87", "5.95", "49993.18"},
		{"TAF above its cap", 20131007, "1000000", "1", "17.4", "5.95", "999976.65"},
		{"before the first TAF", 20120630, "1000", "10", "0", "0", "10000"},
		{"the first day of TAF", 20120701, "1000", "10", "0", "0.12", "9999.88"},
		{"before the first SEC fee", 20130524, "1000", "10", "0", "0.12", "9999.88"},
		{"the first day of the SEC fee", 20130525, "1000", "10", "0.18", "0.12", "9999.7"},
		{"the last day of TAF 0.000119", 20231231, "10000", "100", "17.4", "1.19", "999981.41"},
		{"the first day of TAF 0.000166", 20240101, "10000", "100", "17.4", "1.66", "999980.94"},
		{"the later TAF at its cap", 20240101, "50000", "1", "0.87", "8.3", "49990.83"},
		{"the later TAF above its cap", 20240102, "60000", "1", "1.05", "8.3", "59990.65"},
		{"the last day of 17.40", 20240521, "10000", "100", "17.4", "1.66", "999980.94"},
		{"the first day of 27.80", 20240522, "10000", "100", "27.8", "1.66", "999970.54"},
		{"the last day of 27.80", 20250513, "10000", "100", "27.8", "1.66", "999970.54"},
		{"the first day of none", 20250514, "10000", "100", "0", "1.66", "999998.34"},
		{"no row in force", 20010102, "10000", "100", "0", "0", "1000000"},
	} {
		cases = append(cases, testCase{"fees: " + f.name, func(c *client) {
			account := c.account()
			id := c.one(c.sell(account, f.quantity, f.price, "date", f.date))
			c.get("/trades/%s", id).has(200, `{"sec_fee":%q,"taf_fee":%q,"net_amount":%q}`, f.sec, f.taf, f.net)
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":%q}]}`, f.net)
		}})
	}
	for _, f := range []struct {
		name, kind    string
		edits         []any
		sec, taf, net string
	}{
		{"none on a buy", exchange, []any{"side.direction", "buy"}, "0", "0", "-1000"},
		{"on a short sale", exchange, []any{"side.qualifier", "short"}, "0.02", "0.02", "999.96"},
		{"on a bilateral sell", bilateral, nil, "0.02", "0.02", "999.96"},
		{"on an away sell", away, nil, "0.02", "0.02", "999.96"},
		{"SEC omitted", exchange, []any{"fees.omit_sec", true}, "0", "0.02", "999.98"},
		{"TAF omitted", exchange, []any{"fees.omit_taf", true}, "0.02", "0", "999.98"},
		{"both omitted", exchange, []any{"fees.omit_sec", true, "fees.omit_taf", true}, "0", "0", "1000"},
		{"bill omitted changes nothing", exchange, []any{"fees.omit_bill", true}, "0.02", "0.02", "999.96"},
		{"commission on a sell", exchange, []any{"fees.commission", "1.25"}, "0.02", "0.02", "998.71"},
		{"commission on a buy", exchange, []any{"side.direction", "buy", "fees.commission", "1.25"}, "0", "0", "-1001.25"},
		{"accrued on a sell", exchange, []any{"interest.accrued", "12.5"}, "0.02", "0.02", "1012.46"},
		{"accrued on a buy", exchange, []any{"side.direction", "buy", "interest.accrued", "12.5"}, "0", "0", "-1012.5"},
		{"commission and accrued on a buy", exchange, []any{"side.direction", "buy", "interest.accrued", "12.5", "fees.commission", "1.25"}, "0", "0", "-1013.75"},
		{"commission and accrued on a sell", exchange, []any{"interest.accrued", "12.5", "fees.commission", "1.25"}, "0.02", "0.02", "1011.21"},
	} {
		cases = append(cases, testCase{"fees: " + f.name, func(c *client) {
			account := c.account()
			id := c.one(edit(c.trade(f.kind, account, "quantity", "100", "price", "10", "side.direction", "sell"), f.edits...))
			c.get("/trades/%s", id).has(200, `{"gross_amount":"1000","sec_fee":%q,"taf_fee":%q,"net_amount":%q}`, f.sec, f.taf, f.net)
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"trade_cash":%q}]}`, f.net)
		}})
	}
	for _, kind := range []string{allocation, transfer} {
		for _, f := range []struct{ direction, net, other, quantity string }{
			{"buy", "-1015", "1012", "100"},
			{"sell", "1009", "-1012", "-100"},
		} {
			cases = append(cases, testCase{"fees: a " + f.direction + " of an " + kind + " has none but commission", func(c *client) {
				a, b := c.two()
				id := c.one(c.trade(kind, a, "target_account_id", b, "quantity", "100", "price", "10", "side.direction", f.direction, "fees.commission", "3", "interest.accrued", "12"))
				c.get("/trades/%s", id).has(200, `{"gross_amount":"1000","sec_fee":"0","taf_fee":"0","net_amount":%q}`, f.net)
				c.get("/accounts/%d/balances", a).has(200, `{"data":[{"trade_cash":%q}]}`, f.net)
				c.get("/accounts/%d/balances", b).has(200, `{"data":[{"trade_cash":%q}]}`, f.other)
				c.get("/accounts/%d/positions", a).has(200, `{"data":[{"quantity":%q}]}`, f.quantity)
			}})
		}
	}
	return cases
}
