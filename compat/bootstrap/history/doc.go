// Package history makes BK's history out of Bank's: Bank's rows, as they were extracted, become the series of work that Bank did, in Bank's order, booked with Bank's ids and
// times into api/bulk's builder, and the rows that package books keeps beside BK. Afterwards Bank's API on BK answers as Bank did: repeats, conflicts, cancels, trades
// with their links and times, lists with running positions, journal rows, positions, balances, entities, uploads by their hash.
//
// # Two passes
//
//	Transform   chunk by chunk, in parallel, each by itself: examines rows, lets BK's own rules price each trade and holds the result against what Bank stored, sorts, writes runs
//	Stage       one pass in order over all runs, merged: books, repairs, holds back, compares
//
// Both depend on nothing but their input, whatever its chunks are and however many are transformed at once: the same rows give the same journal, byte for byte.
//
// # The order, and why it is Bank's
//
// Bank keeps no log. Four facts of it (package legacy's comment) are enough:
//
//  1. Whoever changes anything of an account holds its lock from before it takes ids (of trades, cash, journal rows) until it commits.
//  2. A roll is alone: the work of one business date has journal ids below all those of the next, and a day begins with what its roll opened, by trade id, then what it settled, by
//     trade id.
//  3. Each row of the journal has the business date of the work.
//  4. A trade that opens when it is booked has its rows then; one that is new has none until a roll opens it; one that is cancelled while it is new never has any.
//
// Stage walks along the journal by id. Before a row of trade T it books all trades up to T's id that are not booked yet; cash and cancels are booked at their own rows. That is Bank's order in
// each account: let U < T be booked there although U's own rows come later. U took its id before T did, so U's accounts were locked when T's row was written, and until U's rows
// were. What was done to those accounts before has lower journal ids and is booked; what was done after has higher ones than U's, and is still to come. All
// trades are booked by id, so lists that are ordered by Bank's id are ordered by BK's, too, and BK's roll, which takes trades in its own order, takes them in Bank's.
//
// Between accounts without a common trade the order may be another than Bank's, as nothing shows it.
//
// A roll is made where the date in the journal changes. Before it all must be booked that Bank had booked by then, and nothing else:
//
//   - Trades that the roll opened. Rows at the day's beginning that open and then settle, both by id, are the roll's if one of them settles what was in force before: then
//     all that was opened before that row, and every trade of a lower id, was booked before. If there is no such row nobody can say, and it makes no difference: a
//     trade that BK opens in the roll or right after it has the same rows in the same order.
//   - Trades that the roll would open, had Bank not cancelled them: they have no rows. They are looked for ahead, up to the first trade that was certainly booked on the day
//     itself (late, or opened behind the roll's rows), whose id is higher than all that was booked before it.
//   - The cancels of these. A trade was cancelled by the booking of another if that one says that it replaces it, and was booked at the very millisecond; else by itself.
//
// A row whose date is later than that of one of the next rows does not roll: its date is wrong.
//
// Where Bank's first business dates left no rows, the date is rolled to the day before the first one that matters. Opens and settlements are BK's own, made by its rolls.
//
// # What is true where rows contradict each other
//
// Trades and cash movements say what was done. The journal says in which order and on which day, and is compared row by row with what BK makes; a row that BK can't have is in quarantine by
// itself. The tables of positions and balances say what it came to: what they have over what was booked, and over the effects of what is in quarantine, is booked at the very
// end as an adjustment against control:bootstrap:RULE. So for each account and symbol or currency: old - new = the effects of the rows in quarantine, exactly. docs/bootstrap-oddities.md
// has the table of rules.
//
// # In memory
//
// Of Transform a chunk. Of Stage: trades that are new or open, those whose rows or replacements are still to come, trades that were looked at ahead, all of which were booked between two
// rolls and are new; the rows with which a day begins up to the first settlement; positions and balances; what is in quarantine; the names of symbols and the hashes of long texts. And one record of
// each run that overlaps with the place.
//
// # Failure by failure
//
//   - Killed: both begin anew from their input, and give the same.
//   - BK refuses a trade that Transform let pass: it is in quarantine as refused-by-bk.
//   - BK has a trade in another state than Bank's rules say: an error, as that can only be our own fault. Nothing is loaded then.
//   - A run is cut off or out of order: an error.
//
// # Opening
//
// With Input.Opening the books begin with balances. The same pass is made, into a journal that nobody keeps: all rules, and the mirror, ask what BK makes of the history. Then, in the books that are
// kept, on the last business date:
//
//  1. of each account and holding what is settled in the mirror, against control:bootstrap:opening. What is unsettled is moved by trades that are alive, and by nothing else;
//  2. the trades that are alive (new, open), by id, without the links to what they replaced, which is over.
//
// A trade that opened before the first business date and has a later trade date is booked before that date is set, or it would be new.
//
// All else becomes rows of the façade's archive (package archive), as soon as nothing can happen to it any more: trades that are over with their links, cash movements, and journal rows as they follow
// from these. Of trades that are alive it has the running positions, since opening balances don't know what stood before each, and their links. Memory is as in full; of each trade in it the request,
// too.
//
// # Not obvious
//
//   - Work that came to Bank by POST /replay has ids that another system gave. Fact 1 holds of them as far as that system gave them in each account's order.
//   - A trade cancelled while it was new by itself is cancelled right behind its booking: it did nothing, and its time is in the cancel's source.
//   - Fees that Bank did not charge are omitted in BK, and the request is read back as it was (bankmap.Charged).
//   - Effects change running positions in lists of their accounts and symbols, as the trades of later days were held on top of them; adjustments don't, as they come last.
//
// # Rejected
//
//   - Order by times of booking: clocks, and old ones in seconds.
//   - Each trade at its own journal row, new ones in between by interpolation: two orders instead of one, and lists that are not in the order of ids.
//   - Settlements as commands: BK's rolls make them, with their cuts.
//   - To load quarantined trades' effects as adjustments: a trade that is fixed and booked later would count twice.
//
// # File map
//
//	rule.go                 the rules
//	transform.go examine.go a chunk; a row
//	record.go codec.go      what runs hold; merge.go stream.go: reading them in order, and ahead
//	stage.go                the walk along the journal, quarantine
//	book.go cash.go roll.go trades and cancels; cash, and all that has no rows; the business date
//	mirror.go finish.go     what BK's books hold; against positions and balances, adjustments
//	opening.go              books that are opened with balances; rows of the archive
//	keep.go output.go       rows of the façade's tables; what Stage reads and gives
package history
