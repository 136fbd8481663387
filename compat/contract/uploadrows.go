package contract

import (
	"fmt"
	"slices"
	"strings"
)

// uploadRowCases: what stands in the rows of a file.
func uploadRowCases() []testCase {
	return []testCase{
		{"rows: a bad one is skipped, the others are booked", func(c *client) {
			account := c.account()
			trades := c.many(6, account, nil)
			edit(trades[1], "quantity", "-5")
			edit(trades[2], "account_id", c.number())
			edit(trades[4], "type", "swap")
			c.worked("insert", file(trades...), 3, 3, "2 malformed_trade", "3 unknown_account", "5 malformed_trade")
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"300"}]}`)
			c.unbooked(trades[1], trades[4])
		}},
		{"rows: messages name the field", func(c *client) {
			t := c.trade(exchange, c.account(), "instrument.country", "usa")
			a := c.worked("insert", file(t), 0, 1, "1 malformed_trade")
			if message := fmt.Sprint(a.objects(a.object()["errors"])[0]["message"]); !strings.Contains(message, "instrument.country") {
				c.Fatalf("%q", message)
			}
		}},
		{"rows: every field by its path", func(c *client) {
			a, b := c.two()
			columns := append(slices.Clone(columns), "side.qualifier", "side.position", "target_account_id", "settlement.currency", "settlement.date", "fees.commission", "fees.omit_sec", "fees.omit_taf",
				"interest.accrued", "interest.accrued_days", "order_id", "is_when_issued", "contra_mpid", "contra_clearing_num")
			one := c.sell(a, "10", "5", "side.qualifier", "short", "side.position", "open", "settlement.currency", "EUR", "settlement.date", 20131011, "fees.commission", "1.50", "fees.omit_sec", true,
				"fees.omit_taf", false, "interest.accrued", "2", "interest.accrued_days", 3, "order_id", "o1")
			two := c.trade(transfer, a, "target_account_id", b)
			three := c.trade(bilateral, a, "is_when_issued", true)
			c.worked("insert", table(columns, row(one, columns), row(two, columns), row(three, columns)), 3, 0)
			c.find(a, one["client_trade_id"]).has(200, `{"side":{"direction":"sell","qualifier":"short","position":"open"},"settlement":{"currency":"EUR","date":20131011},"settle_date":20131011,
				"fees":{"commission":"1.5","omit_sec":true,"omit_taf":false,"omit_bill":false},"interest":{"accrued":"2","accrued_days":3},"order_id":"o1","sec_fee":"0","taf_fee":"0.01","net_amount":"50.49"}`)
			c.find(a, two["client_trade_id"]).has(200, `{"type":"transfer_trade","target_account_id":"%d"}`, b)
			c.find(a, three["client_trade_id"]).has(200, `{"type":"bilateral_trade","contra_mpid":"CONT","contra_clearing_num":"0161","is_when_issued":true,"settle_date":99991231}`)
		}},
		{"rows: old names", func(c *client) {
			account := c.account()
			columns := append(slices.Clone(columns), "contra_mpid", "contra_dtc_num", "fixed_income.accrued_interest")
			t := c.trade(bilateral, account, "contra_clearing_num", gone{}, "contra_dtc_num", "0443", "fixed_income.accrued_interest", "1.5")
			c.worked("insert", table(columns, row(t, columns)), 1, 0)
			c.find(account, t["client_trade_id"]).has(200, `{"contra_clearing_num":"0443","interest":{"accrued":"1.5"}}`)
		}},
		{"rows: columns in any order, unknown ones, empty cells", func(c *client) {
			account := c.account()
			mixed := append([]string{"colour", "side.shade"}, columns...)
			slices.Reverse(mixed)
			mixed = append(mixed, "fees.commission", "settlement.date", "user_data", "cancel_trade_id", "order_id")
			t := c.trade(exchange, account, "colour", "red", "side.shade", "dark")
			c.worked("insert", table(mixed, row(t, mixed)), 1, 0)
			c.find(account, t["client_trade_id"]).has(200, `{"fees":{"commission":"0"},"settle_date":20131010}`)
		}},
		{"rows: quoted cells", func(c *client) {
			account := c.account()
			columns := append(slices.Clone(columns), "order_id")
			t := c.trade(exchange, account, "client_trade_id", `x,"y" `+c.name(), "order_id", "two\nlines, \"quoted\"")
			other := c.trade(exchange, account)
			c.worked("insert", table(columns, row(t, columns), row(other, columns)), 2, 0)
			c.find(account, t["client_trade_id"]).has(200, `{"client_trade_id":%q,"order_id":"two\nlines, \"quoted\""}`, t["client_trade_id"])
		}},
		{"rows: lines that end in CRLF, the last one in nothing", func(c *client) {
			account := c.account()
			content := strings.TrimSuffix(strings.ReplaceAll(file(c.many(3, account, nil)...), "\n", "\r\n"), "\r\n")
			c.worked("insert", content, 3, 0)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"300"}]}`)
		}},
		{"rows: seconds, and decimals of every spelling", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account, "timestamp", 1381132800, "quantity", "010.50", "price", ".5")
			c.worked("insert", file(t), 1, 0)
			c.find(account, t["client_trade_id"]).has(200, `{"timestamp":1381132800000,"quantity":"10.5","price":"0.5","net_amount":"-5.25"}`)
		}},
		{"rows: cells of the wrong kind", func(c *client) {
			account := c.account()
			columns := append(slices.Clone(columns), "fees.omit_sec")
			bad := []obj{c.trade(exchange, account, "date", "soon"), c.trade(exchange, account, "timestamp", "noon"), c.trade(exchange, account, "fees.omit_sec", "perhaps"),
				c.trade(exchange, account, "account_id", "mine"), c.trade(exchange, account, "quantity", "1e3")}
			var rows [][]string
			for _, t := range bad {
				rows = append(rows, row(t, columns))
			}
			c.worked("insert", table(columns, rows...), 0, 5, "1 malformed_trade", "2 malformed_trade", "3 malformed_trade", "4 malformed_trade", "5 malformed_trade")
		}},
		{"rows: a column that is needed is missing", func(c *client) {
			account := c.account()
			some := slices.DeleteFunc(slices.Clone(columns), func(s string) bool { return s == "price" })
			c.worked("insert", table(some, row(c.trade(exchange, account), some), row(c.trade(exchange, account), some)), 0, 2, "1 malformed_trade", "2 malformed_trade")
		}},
		{"rows: repeats and conflicts", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			id := c.one(t)
			again, other := c.trade(exchange, account), changed(t, "quantity", "5")
			c.worked("insert", file(t, again, again, other), 3, 1, "4 client_trade_id_conflict")
			c.find(account, t["client_trade_id"]).has(200, `{"trade_id":%q}`, id)
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"200"}]}`)
		}},
		{"rows: one after another, in order", func(c *client) {
			account := c.account()
			columns := append(slices.Clone(columns), "cancel_trade_id")
			a := c.buy(account, "1", "1")
			b := c.buy(account, "2", "1", "cancel_trade_id", a["client_trade_id"])
			d := c.buy(account, "4", "1", "cancel_trade_id", b["client_trade_id"])
			early := c.buy(account, "8", "1", "cancel_trade_id", "never")
			c.worked("insert", table(columns, row(early, columns), row(a, columns), row(b, columns), row(d, columns)), 3, 1, "1 trade_not_found")
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"4"}]}`)
			ids := make([]string, 3)
			for i, t := range []obj{a, b, d} {
				ids[i] = fmt.Sprint(c.find(account, t["client_trade_id"]).status(200).object()["trade_id"])
			}
			if number(ids[0]) >= number(ids[1]) || number(ids[1]) >= number(ids[2]) {
				c.Fatalf("%v", ids)
			}
		}},
		{"rows: errors are kept for the first thousand", func(c *client) {
			account := c.account()
			trades := c.many(1004, account, func(i int) []any {
				if i == 1002 {
					return nil
				}
				return []any{"quantity", "0"}
			})
			content := file(trades...)
			c.upload("insert", "bad.csv", content).status(202)
			a := c.done(sum(content))
			a.has(200, `{"trades_processed":1,"trades_skipped":1003,"status":"done"}`)
			errors := a.objects(a.object()["errors"])
			if len(errors) != 1000 || number(errors[0]["row"]) != 1 || number(errors[999]["row"]) != 1000 {
				c.Fatalf("%d errors", len(errors))
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"100"}]}`)
		}},
		{"rows: cancels by account_id and client_trade_id", func(c *client) {
			account := c.account()
			trades := c.many(3, account, nil)
			ids := c.book(trades...)
			c.worked("cancel", table([]string{"account_id", "client_trade_id"}, []string{say(account), say(trades[0]["client_trade_id"])}, []string{say(account), say(trades[2]["client_trade_id"])}), 2, 0)
			for i, state := range []string{"canceled", "open", "canceled"} {
				c.get("/trades/%s", ids[i]).has(200, `{"state":%q}`, state)
			}
		}},
		{"rows: cancels by account, trade_id and by_client_id", func(c *client) {
			account := c.account()
			trades := c.many(3, account, nil)
			ids := c.book(trades...)
			c.worked("cancel", table([]string{"account", "trade_id", "by_client_id"},
				[]string{say(account), say(trades[0]["client_trade_id"]), "true"}, []string{say(account), ids[2], "false"}), 2, 0)
			for i, state := range []string{"canceled", "open", "canceled"} {
				c.get("/trades/%s", ids[i]).has(200, `{"state":%q}`, state)
			}
		}},
		{"rows: cancels that cannot be", func(c *client) {
			account := c.account()
			trades := c.many(2, account, nil)
			ids := c.book(trades...)
			c.delete("/trades/%s", ids[0]).status(202)
			c.worked("cancel", table([]string{"account_id", "client_trade_id"}, []string{say(account), "never " + c.name()}, []string{say(account), say(trades[0]["client_trade_id"])},
				[]string{say(account), say(trades[1]["client_trade_id"])}, []string{say(account), say(trades[1]["client_trade_id"])}), 1, 3,
				"1 trade_not_found", "2 trade_already_canceled", "4 trade_already_canceled")
			c.get("/trades/%s", ids[1]).has(200, `{"state":"canceled"}`)
		}},
		{"rows: cancels with unknown columns, zipped", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			id := c.one(t)
			content := zipped(table([]string{"why", "client_trade_id", "account_id"}, []string{"busted, sorry", say(t["client_trade_id"]), say(account)}))
			c.upload("cancel", "c.csv.gz", content).status(202)
			c.done(sum(content)).has(200, `{"trades_processed":1,"trades_skipped":0,"status":"done","errors":[]}`)
			c.get("/trades/%s", id).has(200, `{"state":"canceled"}`)
		}},
	}
}
