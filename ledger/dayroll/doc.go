// Package dayroll takes the business date forward: day by day it opens and settles what is due, in booking order, and closes each day with a
// frozen cut.
//
// # A day
//
//	day.begin D                              the business date is D from here on
//	trade.open    for each new trade with a trade date up to D, by id
//	trade.settle  for each open trade with a settlement date up to D, by id; the street side with it unless the roll leaves that out
//	day.end D                                with the cut's row count and hash: all holdings by entries effective up to D, as known now
//
// A roll to N does this for every calendar day behind the business date up to N; the first roll ever begins with N itself. All of it is
// entries of the journal: what the roll has done, and what is left, is read from there and from the projections that follow it.
//
// # Invariants
//
//   - While a day is under way only the roll books: all others wait (journal.Hold), also across a crash, as the next term begins with the hold.
//   - Once a day has begun the roll goes on to its last day, whoever asked for it went away: the day.begin entry says which it is.
//   - What is due is asked of projections that have folded the journal up to its head, in pages; so memory does not grow with the trades.
//   - An event happens once: a trade that is open or settled already is not due, and the sequencer rejects a second settlement.
//   - A roll that was killed, at any point, and goes on makes the entries that it would have made, so the same rows and the same hashes.
//
// # Failure by failure
//
//   - The caller goes away: the roll goes on. Asking again for the same day joins it; for a day that is reached already, it is a success that does nothing.
//   - The process dies, is fenced, or Postgres is away in the middle: the next term finds that the last day entry is not the end of the last day,
//     holds all bookings back, and goes on behind what is done. How many trades were opened and settled before is counted in the journal.
//   - A projection is behind: the roll waits for it, before it holds bookings back. It has stopped with a fault: nothing begins. It stops in the
//     middle: bookings wait until it is repaired (bk rebuild), which the log says at each attempt; a half rolled day can't be traded on.
//   - The projection's cut is not what its fold makes of it at day.end: a fault of that projection, see package daily.
//
// # Rejected
//
//   - One entry for all settlements of a day: a trade's life would not be its entries, and the entry would have no bound.
//   - Settling in SQL, beside the journal: two truths.
//   - Letting bookings in between the pages of a day: they would see half of a day, and the order of opens before settles would be lost.
//
// # Files
//
//	dayroll.go   the roller: requests, progress, resuming      day.go   one day
package dayroll
