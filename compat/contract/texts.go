package contract

import "fmt"

// says is fails with the whole message: it is the same, whoever answers.
func (a answer) says(code int, kind, message string) {
	a.t.Helper()
	a.fails(code, kind)
	if got := a.object()["message"]; got != message {
		a.t.Fatalf("%s: message %q, not %q", a.call, got, message)
	}
}

// textCases hold what the messages of errors say, where clients and their people may go by it.
func textCases() []testCase {
	const never = 9_000_000_000_000_000_000
	return []testCase{
		{"text: unknown account", func(c *client) {
			unknown := c.number()
			c.post("/trades", []obj{c.trade(exchange, unknown)}).says(422, "unknown_account", fmt.Sprintf("account %d does not exist", unknown))
			c.post("/trades", []obj{c.trade(transfer, c.account(), "target_account_id", unknown)}).says(422, "unknown_account", fmt.Sprintf("account %d does not exist", unknown))
		}},
		{"text: conflict", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			c.one(t)
			c.post("/trades", []obj{changed(t, "quantity", "7")}).says(409, "client_trade_id_conflict", fmt.Sprintf("client_trade_id %q of account %d is there with other content", t["client_trade_id"], account))
		}},
		{"text: trade not found", func(c *client) {
			account := c.account()
			c.get("/trades/%d", never).says(404, "trade_not_found", fmt.Sprintf("there is no trade %d", never))
			c.delete("/trades/%d", never).says(404, "trade_not_found", fmt.Sprintf("there is no trade %d", never))
			c.delete("/trades/none?is_client_trade_id=true&account_id=%d", account).says(404, "trade_not_found", fmt.Sprintf(`account %d has no trade of client_trade_id "none"`, account))
			c.get("/trades?account_id=%d&client_trade_id=none", account).says(404, "trade_not_found", fmt.Sprintf(`account %d has no trade of client_trade_id "none"`, account))
			c.get("/accounts/%d/trades/%d", account, never).says(404, "trade_not_found", fmt.Sprintf("account %d has no trade %d", account, never))
		}},
		{"text: replaced trade not found", func(c *client) {
			account := c.account()
			c.post("/trades", []obj{c.trade(exchange, account, "cancel_trade_id", "none")}).says(404, "trade_not_found", fmt.Sprintf(`cancel_trade_id "none": account %d has no such trade`, account))
		}},
		{"text: cancelled before", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			id := c.one(t)
			c.delete("/trades/%s", id).status(202)
			c.delete("/trades/%s", id).says(409, "trade_already_canceled", fmt.Sprintf("trade %s is canceled", id))
			c.delete("/trades/%s?is_client_trade_id=true&account_id=%d", t["client_trade_id"], account).says(409, "trade_already_canceled",
				fmt.Sprintf("trade %q of account %d is canceled", t["client_trade_id"], account))
		}},
		{"text: not found", func(c *client) {
			account, unknown := c.account(), c.number()
			c.get("/accounts/%d", unknown).says(404, "account_not_found", fmt.Sprintf("there is no account %d", unknown))
			c.get("/entities/%d", unknown).says(404, "entity_not_found", fmt.Sprintf("there is no entity %d", unknown))
			c.get("/accounts/%d/positions/NONE", account).says(404, "position_not_found", fmt.Sprintf(`account %d has no position in "NONE"`, account))
		}},
		{"text: cash", func(c *client) {
			account, unknown := c.account(), c.number()
			m := obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "5", "kind": "deposit"}
			c.operate("/cash", m).status(202)
			c.operate("/cash", changed(m, "amount", "6")).says(409, "conflict", fmt.Sprintf("client_id %q is there with other content", m["client_id"]))
			c.operate("/cash", changed(m, "account_id", unknown, "client_id", c.name())).says(422, "unknown_account", fmt.Sprintf("account %d does not exist", unknown))
		}},
		{"text: not JSON, and nested too deep", func(c *client) {
			c.post("/trades", "{").says(400, "malformed_request", "the body is not JSON: at byte 1")
			deep := text(300, "[") + text(300, "]")
			c.post("/trades", deep).says(400, "malformed_request", "the body is nested deeper than 200")
		}},
		{"text: a file that is not zipped", func(c *client) {
			c.upload("insert", "a.csv.gz", "no zip "+c.name()).says(400, "empty_file", `"a.csv.gz" is not zipped, and read as plain text it has no rows`)
			c.upload("insert", "a.csv", "").says(400, "empty_file", "the file has no rows")
		}},
	}
}
