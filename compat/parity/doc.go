// Package parity proves by SQL that two streams of Bank's events, both landed in a warehouse, say the same: Bank's own and the one that the façade makes of BK's events. What
// differs is named: the first event that is wrong, what is wrong with it, how much follows from it, what money is at stake, and whether a rule explains it.
//
// # What is compared
//
//   - Every event of bank.trades and bank.cash: rows are joined by account and content_hash (and booked_at and canceled_at, unless that is turned off). What finds its like is equal in
//     every field and every total. Only what is left is compared column by column.
//   - Order: per account, in the order of Bank's event ids, BK's ids ascend, and on each side the offsets in Kafka do.
//   - Running totals: an event's totals must be those of the event before it in the same account and symbol (or currency) and what the event itself adds. Bank's side is
//     added up wholly. BK's side says the same events in the same order where the first two have found nothing, so that it adds up if Bank's does; the accounts in which
//     they have found something are added up on both sides.
//   - Positions and balances at the end of each business date, and what the journal adds up to by date, event and currency.
//   - bank.business-date, records that could not be read, and texts that are not written as the contract says.
//
// # How
//
//  1. SQL over all rows: one join, three windows, sums (sql.go). It gives the accounts in which something is not as it should be, per account one row. The join is an inner one of
//     a hash: where an account has as many pairs as events on each side, and the ids of the pairs ascend strictly on both, nothing is left over. What is sorted goes straight from the
//     scan into the windows, not by way of a table, with a hash in place of totals and 32 bits in place of 64 where they hold what there is.
//  2. Those accounts' events are read in order, with the columns that differ, and package causes names what is wrong (examine.go).
//  3. Findings are matched with rules (rule.go), grouped by kind, by account, by day (report.go).
//
// 1 takes all the time where the sides are equal; 2 and 3 go with what is wrong.
//
// # Lag
//
// One side is always behind the other. An event that one side has and the other has not is pending, and no difference, if it landed less than Config.Lag ago, or less than that
// before the landing of the other side had last caught up with Kafka: a loader that stands still is not taken for a stream that lacks events. (A stream that stands
// still while its loader goes on is found after Lag.) Without a lag nothing is pending.
//
// # Invariants
//
//   - What is not equal is in a finding, or follows from one, or is pending: the sums by day, which are made without any of the rest, are the counter-check.
//   - Nothing in the warehouse is changed: temporary tables of the session only.
//   - Memory: one account's events and [Config].MaxOpen missing ones in Go; the warehouse's own limits for the rest.
//
// # Failure by failure
//
//   - The warehouse goes away, or ctx ends: an error, no report.
//   - A landing was accepted with a gap, or begins behind offset 0: totals of before are not known. [Config].Opening takes each side's first totals for granted where both agree.
//   - More differs than [Config].MaxExamined events of accounts: the rest is counted as not_examined, and unexplained.
//   - Two events with the same 64 bits of content_hash: see package dialect.
//
// # Rejected
//
//   - Joining by trade and event, then comparing hashes: three columns, one of them text, in place of one number, and twice the time.
//   - EXCEPT of both sides: it says that something differs, but not what, and sorts rows of 75 columns for that.
//   - A common table of differences that stays in the warehouse: the report is the result; a warehouse that is read only can be compared, too.
//
// # Files
//
//	config.go run.go     Config, Run
//	sql.go               what SQL finds, and how it is written
//	examine.go values.go the accounts that something was found in; the values that differ
//	side.go              what was landed, and until when
//	dates.go             bank.business-date
//	rule.go report.go    rules; Report
package parity
