// Package statement is the projection that answers "what happened on the account": its postings in journal order, each with the
// balance after it.
//
// # The posting list
//
// A row for each posting would cost more than the journal itself. So the journal is cut into blocks of 1,024 sequence numbers, and
// bk_read.statement_N has a row for each account and block that touch:
//
//	offsets   the entries of the block that have a posting on the account
//	openings  for each instrument that they touch on it, its balance before the block, as instrument:unsettled:settled;
//
// A page loads the listed entries from the journal and adds their postings to the openings: so a running balance in the middle of
// a block costs at most 1,024 entries, and nothing before the block is ever looked at. The openings also say which instruments
// a block touches, so that a statement of one instrument skips the others' blocks without reading an entry.
//
// To know a block's openings the store keeps the running totals (bk_read.statement_totals_N, which has the shape of the balances, at
// this projection's own checkpoint): the update gives the totals after the chunk; less the chunk's change, plus what the chunk
// changed before the block, is the opening.
//
// # Invariants
//
//   - A row is a function of the journal and the checkpoint, not of how the fold was cut into chunks: offsets ascend, openings are in
//     the order of first touch, both only grow at the end.
//   - Lines are in journal order, within an entry in the order of its postings; (sequence number, posting index) is a line's place
//     for ever, so pages are stable under whatever is booked meanwhile.
//   - A page is as of one place in the journal, though it may take several reads: what is beyond is left out.
//   - A page looks at a bounded number of entries and rows. A rare instrument or date range on a hot account may give a short page, or
//     an empty one, with More set.
//   - Running balances follow the journal; a filter by effective date leaves lines out and does not change them.
//
// # Failure by failure
//
//   - The fold is killed: what it knows of the open block is read back from the table at the checkpoint it goes on from.
//   - The journal does not give an entry that is listed: the query fails and says which.
//   - A row is altered: the checker compares block by block as it folds, and names account and block.
//
// # Rejected
//
//   - Openings from the balances table: it is at another checkpoint.
//   - The opening from the account's row before: the last block that touched this instrument may be any number of blocks back.
//   - Larger blocks: fewer rows for accounts that trade now and then, but a hot account's row, which is written again with each small
//     chunk, grows with the block, and so does what a page in the middle of a block has to load.
//   - Openings as arrays of instruments, buckets and numerics: unnest can't give each row an array of its own length, so they would
//     travel as text all the same; one text that is only ever appended to is simpler, and as legible.
//
// # Files
//
//   - statement.go: the tables and their rows
//   - fold.go: the fold and the store
//   - check.go: the checker
//   - query.go: pages
package statement
