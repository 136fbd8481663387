// Package balances is the projection that answers "how much does the account have": for each account and instrument the sum of its
// postings, in two buckets. Trade-date balance = unsettled + settled, settlement-date balance = settled alone.
//
// # The table
//
// bk_read.balances_N has a row for each (account, instrument) that a posting ever touched, with one column for each bucket: a row
// that is 0 in both stays, so that what is there is a function of the journal alone, and so that a balance that comes and goes does
// not make and kill rows. The two buckets share a row because they are read together and change together when a trade settles.
//
// An index (instrument, account) serves the stock record (package stockrecord), which reads the same table by security. A
// generation of version 1 does not have it: the stock record is then right all the same, and slow.
//
// # Invariants
//
//   - A row is the exact sum of the postings up to the generation's checkpoint (promises P5 and P7).
//   - For each instrument all rows add up to zero (P1); [Trial.Off] says where not.
//   - An answer is one snapshot, and says which place in the journal it is as of.
//   - A page looks at a bounded number of rows; where zero rows are left out it may come back short, with More set.
//
// # Failure by failure
//
//   - An entry that does not add up, or a bucket that is neither, stops the projection (package projections): it can't be folded.
//   - The table is altered by hand: the checker names each row that differs, is missing, or is there too much.
//
// # Files
//
//   - balances.go: the fold, the store, the checker
//   - query.go: pages and the trial balance
package balances
