// Package cash is the projection that answers "how much cash does the account have, and what is still to be paid and received, when": for each owner's
// account and currency the trade-date and settled balance, and by settlement date the cash of open trades, to pay (debits) and to receive (credits).
//
// # The tables
//
//	bk_read.cash_totals_N  the balance in its two buckets, by account and currency, of the shape of package balances, for currencies of
//	                       customers and firm accounts only.
//	bk_read.cash_N         debits and credits by account, currency and settlement date. A row is there while open trades have cash on it: after the
//	                       date has settled it is deleted, so the table is as large as the days ahead, not as the past.
//
// A trade's cash on an account is what its entry posts there, in a currency, unsettled: negative is to be paid, positive to be received. Trades are not netted: an account that
// buys for 10 and sells for 10 has both. The cash comes with the booking, or the entry that opens the trade, goes with its settlement or cancel, and comes back where a
// cancel first reverses a settlement. All of that shows in the kind of the entry and its own postings, so the fold remembers no trades. Settlements of the street side alone
// touch no owner.
//
// # Invariants
//
//   - trade-date cash = settled + credits - debits + what is unsettled and no trade's (dividends before their pay date), after every entry of the journal.
//   - Debits and credits are 0 or more, and the exact sums over open trades.
//   - A row is a function of the journal and the checkpoint, not of how the fold was cut into chunks: balances stay once they are touched, days are there
//     exactly while they are not 0. A trade that is booked and settled in one chunk writes nothing to them.
//   - An answer is one snapshot, both tables together. A page looks at a bounded number of rows; where zero rows are left out it may come back short, with
//     More set.
//
// # Failure by failure
//
//   - An entry that does not add up, an account or instrument that is not defined, a bucket that is neither: the projection stops.
//   - A table is altered by hand: the checker names each row that differs, is missing, or is there too much. It holds the balances and the days that are
//     open, so what the tables hold.
//
// # Rejected
//
//   - A row for each trade: package trades has it. Summing those for each read costs what the account has open.
//   - Debits and credits as sums of the unsettled postings by sign: a settlement's posting has the other sign of the trade's cash, and dividends would be in it.
//   - Debits and credits beside the balance as well: a sum over the days that are open is a handful of rows.
//
// # Files
//
//   - cash.go: the tables
//   - sums.go: the fold in memory: what an entry does to debits and credits
//   - fold.go: the fold and the store
//   - check.go: the checker
//   - book.go: the projection in memory
//   - query.go: pages
package cash
