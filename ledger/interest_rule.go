package ledger

// The kinds of event for interest on an account's cash.
const (
	KindInterestCharge Kind = "interest.charge" // margin interest, which the account pays
	KindInterestCredit Kind = "interest.credit" // credit interest, which it gets
)

// CodeInterest is the account of the interest that the firm earns, and pays.
const CodeInterest = "firm:interest"

// interestRules book interest:
//
//	account/s  -i $    firm:interest/s  +i $        and the reverse
func interestRules() []Rule {
	fields := accountAndAmount()
	return []Rule{
		EventRule(KindInterestCharge, fields, func(ev *Event) {
			ev.Move(ev.Account("account"), ev.House(CodeInterest), ev.Currency("currency"), ev.Amount("amount"))
		}),
		EventRule(KindInterestCredit, fields, func(ev *Event) {
			ev.Move(ev.House(CodeInterest), ev.Account("account"), ev.Currency("currency"), ev.Amount("amount"))
		}),
	}
}
