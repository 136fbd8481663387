// Package journal appends entries to a shard's journal in Postgres, in one total order, and reads them in that order.
//
// # The pipeline
//
//	caller's goroutine      sequencer (one)           committers (1 to 4)         callers
//	admit, check form,  →   repeats, trade state, →   BEGIN, fence, COPY,     →   answers, readers,
//	postings, look-ups      number, hash chain        COMMIT in turn              key filter
//
// A roll of the business date (package dayroll) holds the journal: all others wait before the first stage until it is over.
//
// A caller's goroutine does all that needs no order: the form of the request, the rule's postings, and look-ups of keys and trades
// in Postgres, which only the rare command needs (see keyFilter). It hands over what it found together with the place up
// to which that is right. The sequencer, alone, decides the rest in memory: it knows all that came since from its window of recent
// entries, so that nothing can slip between the look-up and the decision; if a caller was so slow that the window has moved on,
// the sequencer looks again. It encodes each entry straight into the bytes that COPY will carry. A committer takes whatever has
// gathered as one transaction; meanwhile the next batch grows: batches are as large as the load makes them, and a lone command
// waits for nobody.
//
// # Invariants
//
//   - Commit order is sequence order: a batch is committed only after the batch before it. So readers see a prefix, never a hole.
//   - Only one process appends: every transaction locks the shard's row FOR SHARE and checks its epoch; a takeover raises the epoch and
//     so waits for transactions on their way, and every later one of the old writer fails.
//   - An answer follows its commit: first the keys go into the filter, then definitions into the directory, then the head moves, then the
//     caller hears.
//   - While the last day entry is not the end of its roll, nobody but the roll books, in this term and in the next.
//   - The window reaches back at least to the oldest entry that is not committed; everything older is in Postgres for look-ups.
//   - Rows are never changed: the sessions' role has no right to.
//
// # Failure by failure
//
//   - The process dies: batches without COMMIT are gone, callers retry with their keys. Its sessions end, and with them the advisory
//     lock; a standby gets the lock within 200 ms and takes over.
//   - The process hangs: its lease runs out, the standby ends its sessions and takes over. When it wakes, its transactions fail
//     at the fence or find their session gone. An append that had gone out whole Postgres has committed without it, before the epoch was
//     raised: it is booked, and the process says so when it wakes.
//   - A COPY or COMMIT fails, the connection is lost, Postgres restarts: the term ends. What was not handed to a committer is answered
//     "not booked". For a batch whose COMMIT got no answer nobody knows, so its callers wait until a new term has begun: the
//     raised epoch proves that the old transaction has ended, and whether its last row is there, with its hash, is the answer.
//   - The disk is full, Postgres is read-only after a failover: appends fail as above, callers hear that nothing was booked, and the
//     process tries to lead again five times a second.
//   - The journal's tail was cut off: the lease says what was acknowledged at its last beat, a second ago at most under load; no new term
//     begins on less. A restore of the whole database to an earlier moment takes the lease with it: that shows in Kafka only.
//   - Shutdown: nothing new is taken, what was accepted is booked and answered, a last beat says how far, the writer's lock is given up.
//   - A bulk load (package bulk) is under way: it raised the epoch as a takeover does, and a takeover finds it behind the same lock, and doesn't
//     happen (ErrLoading). What is loaded is no part of bk.journal before all of it is verified, so that standbys go on with the empty journal.
//   - Overload: what may be in flight is bounded by weight; beyond that callers are refused at once, or wait if they asked to.
//
// # Tried and rejected
//
// See docs/append-path.md: posting rows in the same transaction, unique keys checked by the database, one transaction a command,
// CopyFrom with reflection, NOTIFY for readers, several sequencers.
//
// # File map
//
//	config.go errors.go metrics.go    settings and bounds, sentinels, figures
//	journal.go takeover.go term.go    standing by, taking over, leading, and the end of a term
//	book.go prepare.go                the caller's stage
//	sequencer.go window.go filter.go  the decision (ledger.Rules.Decide), and what is known of earlier entries
//	roll.go                           the business day, and the hold that a roll has on bookings
//	rows.go chain.go commit.go        COPY's bytes, the hash chain, the transaction
//	reader.go store.go                reading: the tail in memory, the rest from Postgres
//	bulk.go                           what a bulk load needs of all this: rows, the epoch, the fence
package journal
