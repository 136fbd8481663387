// Package trades is the projection that answers "which trades are there, and how do they stand": a row for each trade with its terms, its state, and the
// entries that brought it there, as of any day and as known at any place in the journal.
//
// # The tables
//
// What a trade is never changes once it is booked; what comes of it does, two or three times, and for all trades of a day at once. So there are two tables:
//
//	bk_read.trades_N       the booking: parties, security, terms, dates. Written once, by COPY, and found by account, account and day, target, or
//	                       instrument, and by the trade that it was booked in place of.
//	bk_read.trades_life_N  the state, and the entries that opened, settled (its parties' and the street's side) and cancelled it, with the effective
//	                       dates of the settlements. Narrow, with no index but its key and two partial ones: new trades by trade date, open trades by
//	                       settlement date. They hold what a roll looks for and nothing else, so a roll reads what is due and no more.
//
// A settlement writes a row of 100 bytes and one entry of an index that is still in memory, whatever the number of accounts.
//
// # States in two times
//
// Each entry of a life happens at most once, and its postings count from its effective date on. So the state as of a day, known at a sequence number, is
// cancelled if the cancel is known; else settled if a settlement is known and effective by then; else open, likewise; else new. Without bounds that is the
// state that is stored. The reversals of a settlement come right before the cancel that they are part of, and do nothing here: a cancel takes effect as one.
//
// # Invariants
//
//   - Rows are a function of the journal and the checkpoint, not of how the fold was cut into chunks: each column is written by one entry, and the state by
//     the last one.
//   - Known at the checkpoint and as of the end of all days, a trade is as it is stored. What an entry says shows from that entry on: ReplacedBy not
//     before the cancel, nor before the trade that it names. Several trades may be booked in place of one that is cancelled; the last one known counts.
//   - Pages are by id. A trade's id never changes and later ones are higher, so pages are stable under whatever is booked meanwhile; with AsOf and KnownAt
//     given they are the same for ever.
//   - A page looks at a bounded number of trades; where a filter leaves some out it may come back short, with More set. An account's trades of one day have
//     an index, whatever lies before them.
//   - What is due is given by id over all days, and reading it costs what is given, not what is open.
//
// # Failure by failure
//
//   - A trade in a security that is not defined, without an account, or an entry that leaves a trade in a state that its kind can't: the projection stops.
//   - A later entry of a trade that has no row, because the table was altered: the chunk is not stored, and is tried again with the reason in the log, until
//     a rebuild.
//   - Rows are altered, gone or too many: the checker names the trade, or the block of 256 entries where several in it are.
//   - Statistics are old, as after a million trades have just settled: reads keep the planner to the indexes.
//   - What settled lately leaves dead entries in front of the index of open trades; the first read behind a roll goes over them once and marks them.
//
// # The checker's memory
//
// A life's later entries come any time later, so comparing row by row would need all trades that ever were. Instead a row is taken apart into facts, one for
// each entry of the life, and a block of trades has the sum of its facts' hashes, which can be taken in any order: in the journal's here, in the table's
// there. The hashes have a seed of their own in each check. A second sum, weighted by the trade's place in the block, says which trade it is if it is one.
// That makes 32 bytes for 256 entries of the journal: 125 MB for a thousand million.
//
// # Rejected
//
//   - One table: each settlement writes the terms again, and half of each page has to be kept free so that it does not write into all indexes.
//     An index with the state in its condition rules that out anyway.
//   - Asking for what is due in one range of days: it has to be sorted by id, for each page anew. Days are looked up first, which takes one step each and finds
//     one, and their lists are merged.
//   - Merging the table in the checker with the journal, by id: the journal is not in the order in which lives end.
//   - What replaced a trade in its row (as in version 1): a later one would overwrite what was known before. The replacing trade's row says it.
//   - The trade's dates as of which it is corrected, and its place in the order of cost: see package positions.
//
// # Files
//
//   - trades.go: the tables
//   - record.go: what a booking and a life are
//   - fold.go, copy.go: the fold and the store
//   - query.go, scan.go: pages
//   - due.go: what a roll opens and settles
//   - check.go: the checker
//   - book.go: the projection in memory
//   - lifetest/: random ledgers of trades' lives, for tests
package trades
