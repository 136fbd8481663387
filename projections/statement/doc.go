// Package statement is the projection that answers "what happened on the account": its postings in journal order, each with the
// balance after it.
//
// # The posting list
//
// A row for each posting would cost more than the journal itself. So the journal is cut into blocks of 4,096 sequence numbers, and
// bk_read.statement_N has a row for each account and block that touch:
//
//	offsets   the entries of the block that have a posting on the account: each as its distance from the one before it, the first from the
//	          block's beginning, as an unsigned varint; mostly a byte each, 4,096 at most, and only ever appended to
//	openings  for each instrument that they touch on it, its balance before the block, as instrument:unsettled:settled;
//	dates     first_date and last_date, the first and the last effective date of those entries
//
// A page loads the listed entries from the journal and adds their postings to the openings: so a running balance in the middle of
// a block costs at most 4,096 entries, and nothing before the block is ever looked at. The openings also say which instruments
// a block touches, so that a statement of one instrument skips the others' blocks without reading an entry.
//
// To know a block's openings the store keeps the running totals (bk_read.statement_totals_N, which has the shape of the balances, at
// this projection's own checkpoint): the update gives the totals after the chunk; less the chunk's change, plus what the chunk
// changed before the block, is the opening.
//
// A block whose dates are all outside of the dates asked for is skipped without reading an entry.
//
// [Query].Entries asks for the lines of some entries alone. Only their blocks are read, each up to the last of them, so a page costs what is around
// these entries, wherever in the account's history they are.
//
// # As of a day, known at a place
//
// [Query].KnownAt ends the statement at an entry: what comes later was not known. All before it stays as it is, so that costs nothing.
//
// [Query].AsOf leaves out what is effective later, from the running balances too. The openings count everything, so behind the first
// entry that is left out they are of no use, and a page has to know what was counted since. It begins at the first block that has
// anything later than the day, where the openings are still right, each instrument at the first block from there on that touches it,
// and adds the entries up to the page, skipping blocks that are all later. Where entries are booked on the day that they are effective, or
// shortly after, these are the few blocks around the day and those with something late; where dates run wild, they are all of the account's entries up to the page, for each page. Memory is one balance an instrument and the
// entries in hand in any case.
//
// # Invariants
//
//   - A row is a function of the journal and the checkpoint, not of how the fold was cut into chunks: offsets ascend, openings are in
//     the order of first touch, both only grow at the end.
//   - Lines are in journal order, within an entry in the order of its postings; (sequence number, posting index) is a line's place
//     for ever, so pages are stable under whatever is booked meanwhile.
//   - A page is as of one place in the journal, though it may take several reads: what is beyond is left out.
//   - A page looks at a bounded number of entries and rows, but for what comes before it as of a day (see above). A rare instrument or date range on a hot account may give a short page, or
//     an empty one, with More set.
//   - Running balances follow the journal; a filter by effective date (From, To) leaves lines out and does not change them, AsOf and
//     KnownAt do: they say which entries there are.
//   - What is known at a place never changes: with KnownAt, and with pages of one list that all have it, the answer is the same for
//     ever.
//
// # Failure by failure
//
//   - The fold is killed: what it knows of the open block is read back from the table at the checkpoint it goes on from.
//   - The journal does not give an entry that is listed: the query fails and says which.
//   - A row is altered: the checker compares block by block as it folds, and names account and block.
//
// # Rejected
//
//   - Openings as of each day: a row for each account, block and day.
//   - As of a day by the movements of package daily, backwards from now: it costs what was booked after the page instead of before.
//   - Openings from the balances table: it is at another checkpoint.
//   - The opening from the account's row before: the last block that touched this instrument may be any number of blocks back.
//   - Blocks of 1,024: with a thousand accounts that trade all the time nearly every one has a row in every block, twice the work for Postgres. What a page in
//     the middle of a block has to load is the account's own entries in it, so only one that has a good part of all entries notices the larger ones.
//   - Larger blocks still: a hot account's row, which is written again with each small chunk, grows with the block, and no longer fits a page.
//   - Offsets as int2[]: legible in SQL, but twice the bytes, and text to build and to parse.
//   - Openings as arrays of instruments, buckets and numerics: unnest can't give each row an array of its own length, so they would
//     travel as text all the same; one text that is only ever appended to is simpler, and as legible.
//
// # Files
//
//   - statement.go: the tables and their rows
//   - fold.go: the fold and the store
//   - check.go: the checker
//   - query.go: pages
//   - pick.go: pages of chosen entries
package statement
