// Package bulk brings a whole history into an empty ledger faster than it could be booked: a Builder makes the journal of it, without a database, as files; a Loader copies the
// files into Postgres. What comes out is a journal like any other: the rows that a server would have written, had it been given the same commands in the same order.
//
//	commands, rolls →  Builder  →  chunks + manifest  →  Loader (COPY, or Aurora's import from S3)  →  verify  →  bk.journal
//	(in order)         (memory)    (a folder, S3)        into bk.bulk_journal                          each row   at once
//
// # The builder
//
// It decides by the ledger's own rules (ledger.Rules: Prepare, Decide) and writes rows with the journal's own encoder and chain (journal.Rows), so numbers, definitions, house
// accounts, settlements of what was late, content hashes, rejections and repeats are the engine's. Rolls make the entries of package dayroll; the cut of a day is worked out by
// package daily. What is its own is how it remembers: nothing is looked up anywhere.
//
//   - Keys: two hashes of 64 bits, one of them seeded, with the place and the content's hash; some 60 bytes a key.
//   - Lives of trades: the entries as bytes, without what rules don't ask for, whether open or settled: a cancel may come at any time. Some 200 bytes an entry.
//   - Totals of accounts for the cuts, and movements of days that have not come; some 100 bytes each.
//
// Together about 500 bytes a trade that was booked and has settled (BenchmarkBuild measures it), so 5 GB for ten million, and a chunk's rows (64 MiB at most).
//
// Prepare is the half that needs no order (conversion, checks, content hash, postings) and may run on other goroutines, far ahead: what it rejects, or finds not to be defined,
// is prepared again in its turn.
//
// # The loader
//
// Rows go into bk.bulk_journal, a table like bk.journal that no server reads. Finish makes its partitions those of bk.journal, in one transaction. Everything else follows from that: readers see
// the empty ledger or all of the load, never a part; to give a load up is to drop tables, and no role gets the right to delete from bk.journal; the role of the servers, bk_app, is enough.
//
//   - Begin raises the shard's epoch as a takeover does and notes the load in bk.bulk_load. A server that led is fenced; none leads while the note stands (journal.ErrLoading, in
//     its log with the name of who loads). The check is behind the lock on the shard's row in both, so there is no moment in between.
//   - Load is a transaction for each chunk: fence, note in bk.bulk_chunk, COPY, count of rows. The object's SHA-256 is compared before COPY ends. Several run at once.
//   - Finish reads all rows once, chunks beside each other, each from the hash that the manifest has for its beginning: numbers, chain, columns, zero sums, sums of each instrument
//     against the manifest. Then it swaps, sets the lease to the head, and ends the load, in one transaction.
//
// The rows' epoch is the builder's (1); the load's own is above those of all terms that the empty ledger had, and not below the rows'. Terms to come are above both.
//
// With [Aurora] the server reads the object itself, so nobody hashes what it reads: the object is hashed just before, where it can be read from here too, its rows are counted, and the chain
// that Finish checks covers every byte of every row, and must end with the manifest's hash. It finds any difference before anybody is let in.
//
// # Failure by failure
//
//   - The loader is killed, anywhere: its session ends, and its locks. Begin of the same manifest raises the epoch again and goes on: chunks that are in are noted in the transaction that
//     copied them. Killed in Finish: before the swap's commit it verifies again; behind it, Begin finds that the load is done.
//   - The answer to a commit is lost: the same call again finds the chunk in, or the load done.
//   - Two loaders: a session's advisory lock keeps the second out ([ErrBusy]). Where the lock was lost with a connection, the first is fenced by the second's epoch ([ErrFenced]).
//   - Another manifest: [ErrOtherLoad] while a load is open, [ErrNotEmpty] when one is done.
//   - The ledger has, or had, entries: [ErrNotEmpty]. So it is if its lease or a projection knows of entries that are gone, or if the caller finds events of it in Kafka.
//   - An object is damaged, short, long, another one: [ErrDamaged], and nothing of it is in. Rows that were changed afterwards: [ErrBroken], and nobody is let in; abort the load.
//   - Postgres restarts, the disk is full: the call fails and can be made again.
//   - A server of a release without this package leads the ledger meanwhile: the epoch is raised, the load is fenced. If the server booked something, the load can only be aborted.
//   - The swap meets a session that holds a lock on the journal's table: tried again for a minute.
//   - Abort while a chunk is being copied: it waits for the copy, up to 5 s, or fails and can be tried again.
//   - A sink fails: the builder is of no more use; a build is repeated from its beginning, and comes to the same bytes.
//
// # Rejected
//
//   - COPY into bk.journal itself: standbys read rows by number and key, and would serve half of a load; an abort would need the right to delete.
//   - Indexes after the rows: rows come in the order of the primary key, by which they are verified, and the one random index is bounded by its partition of 2^23 rows; the swap would have to wait
//     for the others.
//   - Commands through the engine: a quarter of COPY's rate from outside of its process (docs/benchmarks.md), the times of booking would be today's, and everything would be published
//     before anybody has verified it.
//
// # Files
//
//	builder.go prepared.go roll.go    commands and rolls to rows
//	keys.go lives.go                  what is remembered
//	chunk.go                          chunks, manifest, sums
//	loader.go begin.go finish.go      the load, from Begin to the swap
//	copier.go                         COPY from a stream, Aurora's import
//	auroratest/                       functions with Aurora's signatures, for tests
package bulk
