// Package daily is the projection that answers "how much did the account have on that day", and keeps the frozen cut of each business
// day. Every posting counts from its entry's effective date on, so the books as of day D, known at entry K, are the postings of all
// entries up to K that are effective on D or before: nothing else decides.
//
// # The tables
//
//	daily_N         for each (account, instrument, effective date) the sum of the postings of that date: the movements
//	daily_totals_N  for each (account, instrument) the sum of the movements effective up to the business date: what is in force
//	daily_cut_N     for each business day that has ended the totals that were not zero then: the frozen cuts
//	daily_day_N     for each business day the entry that began it and, once it has ended, the one that ended it, its time, and the
//	                cut's number of rows and hash
//
// A row of movements or totals is there from the first posting that counts in it on, zero or not; a cut has no zero rows.
//
// # Days
//
// The business date comes from the journal: a day.begin entry sets it, and all that waited for it, effective after the old date and
// not after the new one, is added to the totals. What is booked from then on with an effective date that has come goes to the movements
// and to the totals, the rest to the movements alone. Before the first day nothing is in force. A day.end entry copies the totals other
// than zero into the cut. So a chunk is folded in segments, and what stands before a day entry is written before the day is.
//
// The ledger asks [Reader.Cut] for the cut's hash before it books day.end, while bookings wait, and the entry states it: a promise to
// everyone who reads the journal. The fold freezes the same totals, reads back what it froze, and compares. A cut that is another one
// is not an error that passes, so the projection stops ([projections.Fault]), and says what both are.
//
// # As of, known at
//
// As of D is a sum over the account's movements: one row for each instrument and date that the account ever had. For what was known at
// entry K, the postings of the account's entries after K, up to this projection's checkpoint, are taken away again (or those up to K are
// added up, where that is the shorter way). Package statement lists these entries; it is at a checkpoint of its own, so it is waited
// for, and read up to the very same entry. The cost is the account's entries on that way, read from the journal and held a thousand lines at a time;
// an account of the street that everything goes through has as many as the journal.
//
// # Invariants
//
//   - Movements of all dates add up to the balances of package balances at the same checkpoint.
//   - Totals are the movements effective up to the business date (P5, P7): no more, no less, after every entry.
//   - For each instrument, the movements of a date, the totals and each cut add up to zero, as every entry does.
//   - A cut never changes. It is all holdings by entries effective up to its day, known when the day ended; what was booked late shows
//     as of the day, and not in its cut.
//   - The rows are a function of the journal and the checkpoint, not of chunks. There are no sequence numbers or times in a cut's hash,
//     so two journals with the same holdings have the same.
//   - What is known at a place in the journal never changes.
//   - Memory is a chunk's changes; freezing, hashing and comparing a cut hold a row at a time. The checker holds all movements and totals.
//
// # Failure by failure
//
//   - The fold is killed between a day's beginning and its end: the business date is the last day of the table of days.
//   - A day freezes millions of rows, a rebuild meets many days: a chunk ends at each day entry, and has ten times as long.
//   - The end of a day states another number of rows or another hash, zeros included: a fault that names the day, the entry, and both
//     cuts. Nothing of the day is frozen. A rebuild comes to the same end unless the tables were to blame.
//   - Days do not follow each other, an end without its beginning: a fault. The journal's own rules don't book such entries.
//   - A cut is asked for while the day is not under way, or is over: [ErrDay].
//   - A table is altered by hand: the checker names the row, in movements, totals, cuts and days; each cut is compared as its day ends.
//   - Cuts take about 100 bytes a row and day, for ever. Nothing here drops them.
//
// # Rejected
//
//   - The cut as a query over movements: what is booked late would change it.
//   - Cuts as differences between days: smaller, but reading one would add up all before it, and a single wrong row would spoil all after.
//   - Totals worked out at the end of each day: reads all movements there ever were, while bookings wait.
//   - Movements by the date of booking too, for known at without the journal: a row for each posting, in the end.
//   - The hash in SQL: there is no sum of SHA-256 that need not hold all of the text.
//
// # Files
//
//   - daily.go: the tables; days
//   - fold.go: the fold and the store
//   - cut.go: the hash of a cut
//   - check.go: the checker, and the fold in memory
//   - book.go: the projection in memory
//   - query.go: balances as of a day; cuts
package daily
