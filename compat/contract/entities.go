package contract

// entityCases: entities and accounts.
func entityCases() []testCase {
	return []testCase{
		{"entity: new, the same again, another", func(c *client) {
			e := obj{"entity_id": c.number(), "client_code": "ACME", "legal_name": "Acme & Söhne GmbH"}
			want := `{"entity_id":"%d","client_code":"ACME","legal_name":"Acme & Söhne GmbH"}`
			c.operate("/entities", e).is(201, want, e["entity_id"])
			c.operate("/entities", e).is(200, want, e["entity_id"])
			c.operate("/entities", changed(e, "entity_id", say(e["entity_id"]))).is(200, want, e["entity_id"])
			c.operate("/entities", changed(e, "legal_name", "other")).fails(409, "conflict")
			c.operate("/entities", changed(e, "client_code", "other")).fails(409, "conflict")
			c.get("/entities/%d", e["entity_id"]).is(200, want, e["entity_id"])
		}},
		{"entity: in the list", func(c *client) {
			id := c.number()
			c.operate("/entities", obj{"entity_id": id, "client_code": "X", "legal_name": "Y"}).status(201)
			rows := c.walk("/entities", 1000, nil)
			c.within(rows, "entity_id", id, entity)
			for _, r := range rows {
				if len(r) != 3 {
					c.Fatalf("%v", r)
				}
			}
		}},
		{"entity: unknown, and no id", func(c *client) {
			c.get("/entities/%d", c.number()).fails(404, "entity_not_found")
			c.get("/entities/abc").fails(400, "malformed_request")
		}},
		{"entity: bad bodies", func(c *client) {
			good := obj{"entity_id": c.number(), "client_code": "X", "legal_name": "Y"}
			for field, values := range map[string][]any{
				"entity_id":   {gone{}, nil, "x", -1, 0, 1.5, 1099511627776},
				"client_code": {gone{}, nil, "", 5, text(257, "x")},
				"legal_name":  {gone{}, nil, "", 5, text(257, "x")},
			} {
				for _, v := range values {
					c.operate("/entities", changed(good, field, v)).names(400, "malformed_request", field)
				}
			}
			c.get("/entities/%d", good["entity_id"]).fails(404, "entity_not_found")
			c.operate("/entities", changed(good, "client_code", text(256, "x"), "legal_name", text(256, "ü"), "colour", "red")).status(201)
		}},
		{"account: new, the same again, another", func(c *client) {
			a := obj{"account_id": c.number(), "entity_id": entity, "name": "Main"}
			want := `{"account_id":"%[1]d","account_number":"%[1]d","entity_id":"77","name":"Main"}`
			c.operate("/accounts", a).is(201, want, a["account_id"])
			c.operate("/accounts", a).is(200, want, a["account_id"])
			c.operate("/accounts", changed(a, "account_id", say(a["account_id"]), "entity_id", "77")).is(200, want, a["account_id"])
			c.operate("/accounts", changed(a, "name", "other")).fails(409, "conflict")
			other := c.number()
			c.operate("/entities", obj{"entity_id": other, "client_code": "X", "legal_name": "Y"}).status(201)
			c.operate("/accounts", changed(a, "entity_id", other)).fails(409, "conflict")
			c.get("/accounts/%d", a["account_id"]).is(200, want, a["account_id"])
		}},
		{"account: in the list", func(c *client) {
			a, b := c.two()
			rows := c.walk("/accounts", 1000, nil)
			c.within(rows, "account_id", a, b)
			for _, r := range rows {
				if len(r) != 4 || r["account_number"] != r["account_id"] {
					c.Fatalf("%v", r)
				}
			}
		}},
		{"account: of an unknown entity", func(c *client) {
			id := c.number()
			c.operate("/accounts", obj{"account_id": id, "entity_id": c.number(), "name": "n"}).fails(404, "entity_not_found")
			c.get("/accounts/%d", id).fails(404, "account_not_found")
		}},
		{"account: unknown, and no id", func(c *client) {
			c.get("/accounts/%d", c.number()).fails(404, "account_not_found")
			c.get("/accounts/abc").fails(400, "malformed_request")
		}},
		{"account: bad bodies", func(c *client) {
			good := obj{"account_id": c.number(), "entity_id": entity, "name": "Y"}
			for field, values := range map[string][]any{
				"account_id": {gone{}, nil, "x", -1, 0, 1.5, 1099511627776},
				"entity_id":  {gone{}, nil, "x", -1, 0},
				"name":       {gone{}, nil, "", 5, text(257, "x")},
			} {
				for _, v := range values {
					c.operate("/accounts", changed(good, field, v)).names(400, "malformed_request", field)
				}
			}
			c.get("/accounts/%d", good["account_id"]).fails(404, "account_not_found")
		}},
		{"account: opened by many at once", func(c *client) {
			id := c.number()
			codes := map[int]int{}
			for _, a := range c.together(12, func(int) answer {
				return c.operate("/accounts", obj{"account_id": id, "entity_id": entity, "name": "n"})
			}) {
				a.status(a.code)
				codes[a.code]++
			}
			if codes[201] != 1 || codes[200] != 11 {
				c.Fatalf("%v", codes)
			}
		}},
		{"business date: none", func(c *client) {
			c.get("/business-date").is(200, `{"date":0}`)
		}},
		{"business date: bad bodies", func(c *client) {
			for _, v := range []any{gone{}, nil, "20131007", 0, 5, 20130230, 20131301, true, 20131007.5, -20131007} {
				c.operate("/business-date", changed(obj{}, "date", v)).names(400, "malformed_request", "date")
			}
			c.get("/business-date").is(200, `{"date":0}`)
		}},
	}
}
