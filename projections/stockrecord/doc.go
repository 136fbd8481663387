// Package stockrecord answers "who is long in this security, and where is it": the stock record of SEC Rule 17a-3(a)(5). It has no
// tables of its own; it reads those of package balances by instrument.
//
// # The record
//
// [Reader.Record] lists an instrument's holdings, account by account. [Reader.Totals] sums them by kind of account, on trade date (both
// buckets together), a line an instrument:
//
//	owners      customer, firm: + = they have it (long), − = they owe it (short)
//	street      counterparties and fails: − = due from there, + = due to there
//	location    depository and bank: − = it is held there
//	liability,  what is owed to others, and corporate actions and the like that are under way; classes of their own, neither owner
//	control     nor place
//
// All of them together are the line's difference. Every entry adds up to zero in each instrument, so the difference is 0 for every
// security and currency: one that is not has been tampered with, or a fold is wrong.
//
// # Invariants
//
//   - An answer is one snapshot, and says which place in the journal it is as of.
//   - A page of the record looks at a bounded number of rows; where zero rows are left out it may come back short, with More set.
//   - A page of totals has a bounded number of lines and holds only these. It reads every holding of its instruments once: a currency
//     that each of a million accounts holds takes seconds (BenchmarkTotals).
//
// # Failure by failure
//
//   - An account is not in the directory: the totals fail and name it. The directory knows everything up to the head, so what the
//     balances have and it doesn't is no delay.
//   - The balances are of version 1, which has no index by instrument: each page reads all balances until version 2 is built.
//
// # Rejected
//
//   - Tables of its own, by instrument: the same numbers, stored and updated a second time.
//   - Sums in SQL: the kind of an account is in the directory, and a table of accounts beside the balances would be at another
//     checkpoint.
//
// # Files
//
//   - record.go: holdings of an instrument
//   - totals.go: sums by kind of account
package stockrecord
