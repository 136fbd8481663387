package ledger

// The kinds of event that move something from one account to another without a trade.
const (
	KindJournalCash     Kind = "journal.cash"
	KindJournalSecurity Kind = "journal.security"
)

// journalRules book journals between accounts:
//
//	from/s  -q    to/s  +q        of a currency, or of a security
//
// A security takes no price with it. What its cost is to the account that gets it is stated in the field cost (none: 0), in the field
// currency: the one in which the positions that it leaves and joins are carried, USD if left out, whatever the security is listed in.
func journalRules() []Rule {
	return []Rule{
		EventRule(KindJournalCash, []Field{
			{Name: "from", Type: AccountField}, {Name: "to", Type: AccountField},
			{Name: "currency", Type: CurrencyField}, {Name: "amount", Type: PositiveField},
		}, func(ev *Event) {
			ev.Move(ev.Account("from"), ev.Account("to"), ev.Currency("currency"), ev.Amount("amount"))
		}),
		EventRule(KindJournalSecurity, []Field{
			{Name: "from", Type: AccountField}, {Name: "to", Type: AccountField},
			{Name: "instrument", Type: SecurityField}, {Name: "quantity", Type: PositiveField},
			{Name: "cost", Type: NotNegativeField, Optional: true},
			{Name: "currency", Type: CurrencyField, Default: "USD"},
		}, func(ev *Event) {
			ev.Currency("currency")
			ev.Move(ev.Account("from"), ev.Account("to"), ev.Security("instrument"), ev.Amount("quantity"))
		}),
	}
}
