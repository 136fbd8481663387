package modeltest

// eventPostings are what cash, journals, FX and interest do.
func eventPostings(c Command) []Posting {
	f := c.Fields
	move := func(from, to, instrument, quantity string) []Posting {
		return []Posting{{from, instrument, "s", opposite(number(quantity))}, {to, instrument, "s", number(quantity)}}
	}
	switch c.Kind {
	case "cash.deposit":
		return move("location:bank", f["account"], f["currency"], f["amount"])
	case "cash.withdrawal":
		return move(f["account"], "location:bank", f["currency"], f["amount"])
	case "interest.charge":
		return move(f["account"], "firm:interest", f["currency"], f["amount"])
	case "interest.credit":
		return move("firm:interest", f["account"], f["currency"], f["amount"])
	case "journal.cash":
		return move(f["from"], f["to"], f["currency"], f["amount"])
	case "journal.security":
		return move(f["from"], f["to"], f["instrument"], f["quantity"])
	case "fx.trade":
		return append(move(f["account"], "firm:fx", f["sold_currency"], f["sold_amount"]),
			move("firm:fx", f["account"], f["bought_currency"], f["bought_amount"])...)
	}
	panic("modeltest: no event " + c.Kind)
}

// eventFields are the fields that an event needs: what names an account, a currency, a number above zero, or a security.
var eventFields = map[string]map[string]string{
	"cash.deposit":     {"account": "account", "currency": "currency", "amount": "number"},
	"cash.withdrawal":  {"account": "account", "currency": "currency", "amount": "number"},
	"interest.charge":  {"account": "account", "currency": "currency", "amount": "number"},
	"interest.credit":  {"account": "account", "currency": "currency", "amount": "number"},
	"journal.cash":     {"from": "account", "to": "account", "currency": "currency", "amount": "number"},
	"journal.security": {"from": "account", "to": "account", "instrument": "security", "quantity": "number"},
	"fx.trade": {"account": "account", "sold_currency": "currency", "sold_amount": "number", "bought_currency": "currency",
		"bought_amount": "number"},
}

// optional are fields that may be there, too.
var optional = map[string]map[string]bool{
	"journal.security": {"cost": true, "currency": true, "instrument_country": true, "instrument_currency": true},
}
