package ledger

// KindFX is the kind of event that changes an account's money of one currency into another.
const KindFX Kind = "fx.trade"

// CodeFX is the firm's side of it.
const CodeFX = "firm:fx"

// fxRule books a change of currencies with the firm:
//
//	account/s  -x EUR    firm:fx/s  +x EUR    firm:fx/s  -y USD    account/s  +y USD
func fxRule() Rule {
	return EventRule(KindFX, []Field{
		{Name: "account", Type: AccountField},
		{Name: "sold_currency", Type: CurrencyField}, {Name: "sold_amount", Type: PositiveField},
		{Name: "bought_currency", Type: CurrencyField}, {Name: "bought_amount", Type: PositiveField},
	}, func(ev *Event) {
		if ev.Text("sold_currency") == ev.Text("bought_currency") {
			ev.Reject(ReasonInvalid, "bought_currency", "is the sold one, too")
		}
		account, firm := ev.Account("account"), ev.House(CodeFX)
		ev.Move(account, firm, ev.Currency("sold_currency"), ev.Amount("sold_amount"))
		ev.Move(firm, account, ev.Currency("bought_currency"), ev.Amount("bought_amount"))
	})
}
