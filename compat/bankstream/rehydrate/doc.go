// Package rehydrate tells BK's events as Bank's: the events of bk.events.v1 in, those that Bank would have published out, with the running totals and ids that BK's
// events don't carry. It knows neither Kafka nor where its state is kept: it is given a record and a view of the partition's state, and gives events.
//
// # What becomes what
//
//	trade.* that books                        booked (entered as new), opened (in force at once)
//	trade.open, trade.settle, trade.cancel    opened, settled, canceled
//	cash.deposit, cash.withdrawal             deposit, withdrawal
//	journal.cash                              journal: the giving account's with a negative amount, and the receiving account's
//	day.end                                   rolled: from the business date before, 0 for the first, to that day
//	trade.reverse, fx, interest, posting ...  nothing: Bank has no such thing. What they move is in the totals of what follows
//	trade.link, trade.settle_street           nothing: they do nothing to an account's totals
//	day.begin, account.open, definitions      nothing
//	all that books were opened with           nothing: Bank has told of it (package bootstrap, mode opening). Balances and trades that are alive are taken in, so that what follows is as it was
//
// A replacement is two entries, the old trade's cancel and the new one's booking, and so two events, each with its link.
//
// # Invariants
//
//   - All state is local to the account of a record's key ([state.View]): a record changes and reads nothing of any other account. So partitions may be translated in any
//     interleaving, by any number of instances.
//   - Running totals are sums of postings, not of Bank's rules worked out again: position = unsettled + settled of the account's holding of the trade's
//     instrument, balance the same of its currency.
//   - The trade in an event is as it stood right after the entry: state, fees and dates are the entry's; what only the booking says (Bank's id, the time, what
//     it replaces, what BK has no field for) is kept while the trade lives.
//   - What is looked up never changes (books.Stream), so that the same records give the same events, byte for byte, for ever.
//   - An event's id is 2*sequence, + 1 for the target of an allocation or a transfer and for the receiving account of a journal: it ascends for each account.
//   - Apply changes the view at its end or not at all: what failed may be given again.
//   - A [Reader] and the generated code read the same in every value, or both nothing. What it doesn't expect it leaves to that.
//
// # What has no event
//
// A booking that has no id of Bank's (by BK's own users, before BK was the primary), all that becomes of that trade, and such a movement of cash; an account that Bank
// doesn't know (the house's, one opened by BK's own users under another code). These are counted ([Translator.Silent]).
//
// An account that Bank doesn't know is remembered as a trade of the number 0, which no trade has: account.open is under the account's key, before all else of it.
//
// # Failure by failure
//
//   - BK's API or the façade's database is away, a step to another mode is under way: an error that passes; nothing is changed.
//   - A record that can't be understood, or names what BK does not have: [ErrPoison], with the entry, its kind, leg and account. Trying again does not help.
//   - A trade that is not in the state although it lives (its booking by BK's own users, or a settled trade that they cancelled): its booking is read from BK's
//     journal, and says the same as the state would.
//   - A total beyond what can be held: ErrPoison; nothing wraps round.
//
// # Rejected
//
//   - Asking BK for positions after each event: a hundred times slower, and another system's cursor to keep.
//   - The generated code for all entries: nearly half of what a translation cost, in some forty pieces of memory for an entry.
//   - Keeping whole trades: BK's events carry them. What is kept is a hundred bytes of a live trade and account.
//   - Keeping Bank's ids of all trades, for what replaces a trade that was cancelled long ago: such a question to BK is rare.
//
// # File map
//
//	translator.go  Translator, Apply; what a record is
//	totals.go      postings -> running totals
//	trade.go       entries about trades
//	cash.go        movements of cash
//	day.go         the roll
//	read.go        Reader: values -> entries
//	walk.go        going through a value of protobuf
package rehydrate
