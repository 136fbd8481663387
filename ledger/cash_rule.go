package ledger

// The kinds of event that bring cash in and take it out.
const (
	KindDeposit    Kind = "cash.deposit"
	KindWithdrawal Kind = "cash.withdrawal"
)

// cashRules book cash that comes in from outside and cash that leaves:
//
//	account/s  +x $    location:bank/s  -x $        and the negation
func cashRules() []Rule {
	fields := accountAndAmount()
	return []Rule{
		EventRule(KindDeposit, fields, func(ev *Event) {
			ev.Move(ev.House(CodeLocationBank), ev.Account("account"), ev.Currency("currency"), ev.Amount("amount"))
		}),
		EventRule(KindWithdrawal, fields, func(ev *Event) {
			ev.Move(ev.Account("account"), ev.House(CodeLocationBank), ev.Currency("currency"), ev.Amount("amount"))
		}),
	}
}

// accountAndAmount are the fields of an event that changes one account's cash.
func accountAndAmount() []Field {
	return []Field{{Name: "account", Type: AccountField}, {Name: "currency", Type: CurrencyField}, {Name: "amount", Type: PositiveField}}
}
