package history

// Version is the version of the rules in this package. Plans pin it: a rule that does something else to any row is another version.
const Version = "1"

// Rule is what is done about one legacy oddity.
type Rule string

// Effect is what becomes of the rows that a rule is about.
type Effect string

// The effects.
const (
	AsIs        Effect = "loaded as is"
	Repair      Effect = "repaired"
	Adjust      Effect = "adjusted" // loaded as is, and an entry against a control account makes up for what is missing
	Quarantines Effect = "quarantined"
)

// The rules, in the order of docs/bootstrap-oddities.md.
const (
	SecondsStored     Rule = "seconds-stored"        // a time of booking or cancel in seconds
	SecondsAsked      Rule = "seconds-asked"         // an execution time in seconds in the stored request
	CaseTwins         Rule = "client-id-twins"       // trades whose client ids differ in case or space only
	CashTwins         Rule = "cash-client-id-twins"  // likewise of cash
	SettledEarly      Rule = "settled-before-booked" // the settlement date is before the day of booking
	HolidaySettlement Rule = "settles-on-holiday"    // the settlement date is no settlement day
	OddSettlement     Rule = "irregular-settlement"  // settles on another day than the request and the calendar say
	FeeMissing        Rule = "fee-missing"           // a fee that should be there was not charged
	LinkRestored      Rule = "link-restored"         // one of two links between a trade and its replacement is missing
	LinkDropped       Rule = "link-dropped"          // a link to a trade that is not there, or is no partner of it
	RowMissing        Rule = "journal-row-missing"   // a step of a trade without its journal row
	CashApart         Rule = "cash-journal-apart"    // one side of a journal of cash: Bank's API, if that was read, doesn't say whose the other is
	PositionOff       Rule = "position-off"          // a position other than its trades add up to
	PositionOrphan    Rule = "position-without-trades"
	BalanceOff        Rule = "balance-off" // settled cash other than trades and cash movements add up to
	BalanceOrphan     Rule = "balance-without-trades"

	Unreadable     Rule = "row-unreadable"      // a column that holds no value of its kind
	BadRequest     Rule = "request-malformed"   // the stored request breaks the contract
	BadInstrument  Rule = "instrument-unknown"  // its instrument can't be mapped
	NoTarget       Rule = "target-missing"      // the other account of an allocation or a transfer is not there
	NoAccount      Rule = "account-missing"     // the account of a trade, or of cash, is not there
	OtherColumns   Rule = "request-not-columns" // the columns say something else than the request
	OtherAmounts   Rule = "amounts-off"         // amounts or fees that do not follow from the request
	StateDates     Rule = "state-against-dates" // a state that the dates contradict
	Unplaced       Rule = "no-place"            // never in force, and no business date on which it could have been booked
	Refused        Rule = "refused-by-bk"       // BK's rules refuse it for another reason
	RowOdd         Rule = "journal-row-odd"     // a journal row that is not what its trade or cash movement makes
	RowOrphan      Rule = "journal-row-orphan"  // a journal row of no trade and no cash movement, or one too many
	RowDate        Rule = "journal-row-date"    // a journal row whose date is before that of a row before it, or after the business date
	BadCash        Rule = "cash-malformed"      // a cash movement that breaks the contract
	CashUnbooked   Rule = "cash-without-rows"   // a cash movement without journal rows
	BalancePending Rule = "balance-pending-off" // debits or credits other than the open trades add up to
	BalanceIdle    Rule = "balance-idle"        // a row of zeros in a currency that never moved
)

var effects = map[Rule]Effect{
	SecondsStored: Repair, SecondsAsked: AsIs, CaseTwins: AsIs, CashTwins: AsIs, SettledEarly: AsIs, HolidaySettlement: AsIs, OddSettlement: AsIs, FeeMissing: AsIs,
	LinkRestored: Repair, LinkDropped: Repair, RowMissing: Repair, CashApart: Repair, PositionOff: Adjust, PositionOrphan: Adjust, BalanceOff: Adjust, BalanceOrphan: Adjust,
	Unreadable: Quarantines, BadRequest: Quarantines, BadInstrument: Quarantines, NoTarget: Quarantines, NoAccount: Quarantines, OtherColumns: Quarantines, OtherAmounts: Quarantines,
	StateDates: Quarantines, Unplaced: Quarantines, Refused: Quarantines, RowOdd: Quarantines, RowOrphan: Quarantines, RowDate: Quarantines, BadCash: Quarantines,
	CashUnbooked: Quarantines, BalancePending: Quarantines, BalanceIdle: Quarantines,
}

// Effect says what becomes of the rule's rows; "" of what is no rule.
func (r Rule) Effect() Effect { return effects[r] }

// Rules gives all rules with their effects.
func Rules() map[Rule]Effect {
	all := make(map[Rule]Effect, len(effects))
	for rule, effect := range effects {
		all[rule] = effect
	}
	return all
}

// Counts is how often rules fired.
type Counts map[Rule]int64

// Add adds others.
func (c Counts) Add(others Counts) {
	for rule, n := range others {
		c[rule] += n
	}
}
