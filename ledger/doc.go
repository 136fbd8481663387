// Package ledger is the domain of BK: what is booked, by which rules, and why something is refused. It knows neither Postgres nor
// Kafka nor HTTP, and imports the standard library only.
//
// A [Command] asks for one business event to be recorded. [Rules].Prepare checks its form, takes the hash of its content and lets
// the [Rule] of its kind make the postings; the result, a [Draft], goes to the journal (package journal), which gives it its place
// and so makes it an [Entry]. What happened once is never changed: a cancel is an entry that negates, a correction is a cancel and
// a booking in one step.
//
// # Invariants
//
//   - In every entry the quantities of each instrument add up to zero ([Balanced], promise P1).
//   - Amounts are exact; what does not fit is rejected, nothing is rounded ([Amount], promise P7). The one rounding there is, fees
//     up to the cent, is the contract's.
//   - Preparing a command is a pure function of the command and of definitions that never change, so it may run anywhere; what
//     depends on order (repeats, the state of a trade, new ids) is the sequencer's alone.
//   - Every refusal is a [Rejection] with a [Reason] of the closed list, the field and a sentence (promise P10).
//
// # File map
//
//	amount.go date.go id.go limits.go       values and their bounds; calendar.go says which days are settlement days
//	account.go instrument.go                what entries are about; directory.go holds all of them in memory
//	command.go trade.go                     requests and the checks of their form; fields.go those of events without a type of their own
//	rules.go event.go                       the registry, and how a rule reads such an event
//	trade_rule.go life_rule.go day.go       the rules: trades, their lives, the days of a roll,
//	cash_rule.go journal_rule.go            cash in and out, journals,
//	interest_rule.go fx_rule.go             interest, currencies
//	entry.go life.go                        the journal's line, and the life of a trade
//	decide.go                               what a command does at its place in the journal
//	codec.go                                the journal's encoding, the content hash
//	reject.go                               why something is refused, in order of precedence
package ledger
