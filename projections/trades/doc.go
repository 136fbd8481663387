// Package trades is the projection that answers "which trades are there, and how do they stand": each trade with its terms, its state, and the
// entries that brought it there, as of any day and as known at any place in the journal.
//
// # The tables
//
// What a trade is never changes once it is booked, and the journal says it: a trade's id is its booking's place there. So bookings are not stored again,
// a page reads them from the journal. What is stored is what the journal can't be asked for:
//
//	bk_read.trades_life_N      a row for each trade: the entries that opened, settled (its parties' and the street's side) and cancelled it, with the
//	                           effective dates of the settlements, null where there is none; and the dates of its booking. It is found by its
//	                           trade, and in two partial indexes: new trades by trade date, open trades by settlement date. They hold what a roll
//	                           looks for and nothing else, so a roll reads what is due and no more. The state is what these entries lead to.
//	bk_read.trades_list_N      posting lists: a row for each list and block of 16,384 sequence numbers that has trades in it. Lists are of an account
//	                           (kind p, key the account: trades that are booked to it or target it, once each) and of an instrument (kind i).
//	                           offsets has two bytes, the higher first, for each: sequence = block * 16384 + offset, ascending.
//	                           first_date and last_date are the first and the last of their trade dates: a page skips blocks outside of the days
//	                           that it is asked for.
//	bk_read.trades_corrects_N  which trade was booked in place of which (corrects), for those that were.
//
// Bookings are written by COPY, and lists by a few statements for the whole chunk; only rows of the block that was begun before it can be there. With 1,000
// accounts, 50 instruments and chunks of 16,384 entries, that is one row of a list for eight trades, and a quarter of the processor's time that a
// table of bookings with its indexes takes. A settlement writes a row of 100 bytes and one entry of an index that is still in
// memory, whatever the number of accounts.
//
// # Reading a page
//
// Lists (both, and what they have in common, where an account and an instrument are given) name the trades to look at, in batches; their lives
// are read, and say which of them have the states and dates that are asked for. All that is one snapshot. Then the bookings of the
// trades that are left are read from the journal, which has no connection to that snapshot and needs none.
//
// # States in two times
//
// Each entry of a life happens at most once, and its postings count from its effective date on. So the state as of a day, known at a sequence number, is
// cancelled if the cancel is known; else settled if a settlement is known and effective by then; else open, likewise; else new. Without bounds that is the
// state that is stored. The reversals of a settlement come right before the cancel that they are part of, and do nothing here: a cancel takes effect as one.
//
// # Invariants
//
//   - Rows are a function of the journal and the checkpoint, not of how the fold was cut into chunks: each column of a life is written by one entry, and a
//     list's row grows at its end only.
//   - A trade is in each list once: also where it is booked to the account that it targets.
//   - Known at the checkpoint and as of the end of all days, a trade is as it is stored. What an entry says shows from that entry on: ReplacedBy not
//     before the cancel, nor before the trade that it names. Several trades may be booked in place of one that is cancelled; the last one known counts.
//   - Pages are by id. A trade's id never changes and later ones are higher, so pages are stable under whatever is booked meanwhile; with AsOf and KnownAt
//     given they are the same for ever.
//   - A page looks at a bounded number of trades and of rows of lists; where a filter leaves some out it may come back short, with More set. An account's
//     trades of one day are looked for in those blocks alone that have some of that day or of days around it; for the others a look at their row is enough,
//     16,384 entries at a time.
//   - What is due is given by id over all days, and reading it costs what is given, not what is open.
//
// # Failure by failure
//
//   - A trade in a security that is not defined, without an account, or an entry that leaves a trade in a state that its kind can't: the projection stops.
//   - A later entry of a trade that has no row, because the table was altered: the chunk is not stored, and is tried again with the reason in the log, until
//     a rebuild.
//   - The stored tables are of another version: reads, also those for a roll, fail with [projections.ErrNotBuilt] until the runner has built this one's.
//     Each version reads its own tables only.
//   - A list names a trade that has no life, or the journal does not give a booking: the read fails and says which.
//   - This process stands by, and the tables are ahead of what it knows of the journal: a read waits until it knows the securities of the page.
//   - Rows are altered, gone or too many: the checker names the trade, or the block of 256 entries where several in it are; or the list's row, where
//     no trades can be made of it.
//   - Statistics are old, as after a million trades have just settled: reads keep the planner to the indexes.
//   - What settled lately leaves dead entries in front of the index of open trades; the first read behind a roll goes over them once and marks them.
//
// # The checker's memory
//
// A life's later entries come any time later, so comparing row by row would need all trades that ever were. Instead the rows are taken apart into facts: a
// trade's dates, one for each entry of its life, one for each list that it is in, and what it corrects. The dates of a list's row are a fact about
// its first trade. A block of trades has the sum of its facts' hashes, which can be taken in any order: in the journal's here, in the tables' there. The hashes
// have a seed of their own in each check. A second sum, weighted by the trade's place in the block, says which trade it is if it is one. That
// makes 48 bytes for 256 entries of the journal: 190 MB for a thousand million.
//
// # Rejected
//
//   - A row for each booking, with an index for each way to find it: four times the processor's time, for what is in the journal.
//   - Lists in the rows of lives, or an index on the account there: an index entry for each trade and list.
//   - Larger blocks: fewer rows where many accounts trade, but a hot account's row is written again with each chunk.
//   - Lists of an account's days: as many rows as trades, where accounts trade a few times a day.
//   - Offsets as an array of numbers: unnest can't give each row an array of its own length, so they would travel as text, to be read once more.
//   - The state as a column: it says again what the others say, and the indexes' conditions can ask those.
//   - Asking for what is due in one range of days: it has to be sorted by id, for each page anew. Days are looked up first, which takes one step each and finds
//     one, and their lists are merged.
//   - Merging the table in the checker with the journal, by id: the journal is not in the order in which lives end.
//   - What replaced a trade in its row: a later one would overwrite what was known before.
//   - The trade's dates as of which it is corrected, and its place in the order of cost: see package positions.
//
// # Files
//
//   - trades.go: the tables
//   - record.go: what a booking and a life are
//   - fold.go, copy.go, list.go: the fold and the store
//   - query.go, scan.go: pages
//   - due.go: what a roll opens and settles
//   - check.go: the checker
//   - book.go: the projection in memory
//   - lifetest/: random ledgers of trades' lives, for tests
package trades
