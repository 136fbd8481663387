package contract

// replayCases: POST /replay, what another system has already decided. They run after the rolls, on their last day or later.
func replayCases() []testCase {
	// later gives an id well past the last that the system has given out.
	later := func(c *client, account int64) int64 {
		c.Helper()
		return number(c.one(c.trade(exchange, account))) + 1000
	}
	return []testCase{
		{"replay: books under the id and the time", func(c *client) {
			c.roll(20140110)
			account := c.account()
			id := later(c, account)
			t := c.buy(account, "5", "2", "date", 20140110)
			c.operate("/replay", obj{"trade_id": say(id), "booked_at": 1389312000123, "request": t}).is(202, `{}`)
			c.get("/trades/%d", id).has(200, `{"trade_id":"%d","client_trade_id":%q,"booked_at":1389312000123,"state":"open","net_amount":"-10","canceled_at":null}`, id, t["client_trade_id"])
			c.find(account, t["client_trade_id"]).has(200, `{"trade_id":"%d"}`, id)
			c.get("/accounts/%d/trades", account).has(200, `{"data":[{"trade_id":"%d"}]}`, id)
		}},
		{"replay: moves the sequence past the id", func(c *client) {
			account := c.account()
			id := later(c, account)
			c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": c.trade(exchange, account)}).status(202)
			if next := number(c.one(c.trade(exchange, account))); next <= id {
				c.Fatalf("%d was given out after %d", next, id)
			}
		}},
		{"replay: the same again", func(c *client) {
			account := c.account()
			id := later(c, account)
			t := c.trade(exchange, account)
			for range 3 {
				c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": t}).is(202, `{}`)
			}
			c.get("/accounts/%d/positions", account).has(200, `{"data":[{"quantity":"200"}]}`)
		}},
		{"replay: then the client's own repeat", func(c *client) {
			account := c.account()
			id := later(c, account)
			t := c.trade(exchange, account)
			c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": t}).status(202)
			c.post("/trades", []obj{changed(t, "quantity", "100.0")}).is(202, `[{"client_trade_id":%q,"trade_id":"%d"}]`, t["client_trade_id"], id)
			c.post("/trades", []obj{changed(t, "quantity", "5")}).fails(409, "client_trade_id_conflict")
		}},
		{"replay: a client's id that another trade has", func(c *client) {
			account := c.account()
			id := later(c, account)
			t := c.trade(exchange, account)
			first := c.one(t)
			c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": t}).fails(409, "client_trade_id_conflict")
			c.find(account, t["client_trade_id"]).has(200, `{"trade_id":%q}`, first)
		}},
		{"replay: a trade id that another trade has", func(c *client) {
			account := c.account()
			id := c.one(c.trade(exchange, account))
			t := c.trade(exchange, account)
			c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": t}).fails(409, "conflict")
			c.unbooked(t)
		}},
		{"replay: an unknown account", func(c *client) {
			id := later(c, c.account())
			c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": c.trade(exchange, c.number())}).fails(422, "unknown_account")
			c.get("/trades/%d", id).fails(404, "trade_not_found")
		}},
		{"replay: a correction", func(c *client) {
			account := c.account()
			id := later(c, account)
			old := c.buy(account, "5", "1", "date", 20140110)
			c.operate("/replay", obj{"trade_id": id, "booked_at": 1389312000123, "request": old}).status(202)
			c.operate("/replay", obj{"trade_id": id + 1, "booked_at": 1389312000456, "request": c.buy(account, "7", "1", "date", 20140110, "cancel_trade_id", old["client_trade_id"])}).status(202)
			c.get("/trades/%d", id).has(200, `{"state":"canceled","canceled_at":1389312000456,"replaced_by":"%d"}`, id+1)
			c.get("/trades/%d", id+1).has(200, `{"state":"open","booked_at":1389312000456,"replaces":"%d"}`, id)
		}},
		{"replay: a cancel at its time", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account, "date", 20140110)
			id := c.one(t)
			at := number(c.get("/trades/%s", id).status(200).object()["booked_at"]) + 5
			for range 2 {
				c.operate("/replay", obj{"trade_id": id, "canceled_at": at}).is(202, `{}`)
			}
			c.get("/trades/%s", id).has(200, `{"state":"canceled","canceled_at":%d}`, at)
			c.get("/accounts/%d/positions", account).is(200, `{"data":[]}`)
		}},
		{"replay: cash under its id", func(c *client) {
			account := c.account()
			id := number(c.cash(account, "deposit", "1")) + 1000
			body := obj{"client_id": c.name(), "account_id": account, "currency": "USD", "amount": "5", "kind": "deposit"}
			for range 2 {
				c.operate("/replay", obj{"cash_id": say(id), "cash": body}).is(202, `{}`)
			}
			c.operate("/cash", body).is(202, `{"cash_id":"%d"}`, id)
			c.get("/accounts/%d/balances", account).has(200, `{"data":[{"settled_cash":"6"}]}`)
			if next := number(c.cash(account, "deposit", "1")); next <= id {
				c.Fatalf("%d was given out after %d", next, id)
			}
		}},
		{"replay: how far the ids have come", func(c *client) {
			account := c.account()
			cash, trade := number(c.cash(account, "deposit", "1")), number(c.one(c.trade(exchange, account)))
			place := c.send("GET", c.sys.Operations+"/replay", nil).status(200).object()
			for field, least := range map[string]int64{"last_trade_id": trade, "last_cash_id": cash, "last_event_id": 1} {
				if _, text := place[field].(string); !text || number(place[field]) < least {
					c.Errorf("%s is %#v, though %d was given", field, place[field], least)
				}
			}
		}},
		{"replay: bad bodies", func(c *client) {
			account := c.account()
			t := c.trade(exchange, account)
			for _, body := range []obj{{}, {"trade_id": "x", "booked_at": 1, "request": t}, {"trade_id": 0, "booked_at": 1389312000123, "request": t}, {"booked_at": 1389312000123, "request": t},
				{"trade_id": 5, "request": t}, {"trade_id": 5, "booked_at": 1389312000123}, {"trade_id": 5, "booked_at": "soon", "request": t}} {
				c.operate("/replay", body).fails(400, "malformed_request")
			}
			c.unbooked(t)
		}},
	}
}
