// Package projections folds the journal into tables that are fast to read: balances, statements, and whatever comes after them.
//
// A [Projection] is a name, a version, a pure fold and a store. The [Runner] reads the journal in order, folds a chunk in memory
// (all that is waiting, up to a limit) and writes the aggregated result together with the checkpoint in one transaction. What a
// projection holds can be thrown away and folded again at any time; nothing is in it that is not in the journal.
//
// # Invariants
//
//   - A generation's tables are the fold of the entries 1 to its checkpoint: no more, no less, in every snapshot (promise P5). So an
//     entry is applied exactly once, whatever is killed.
//   - The rows are a function of the journal and of the checkpoint, not of how the fold was cut into chunks: a rebuild gives the same
//     rows to the byte.
//   - There is at most one active generation of a projection and shard, and at most one that is being built. A number is never used
//     again.
//   - A read never goes back: the generation that takes over is at least as far as the one it replaces. The one exception is a
//     generation that is not of this journal: what it has beyond it, or instead of it, is not true.
//   - Memory is bounded by a chunk ([Config].MaxChunkEntries, MaxChunkPostings), not by the backlog.
//
// # Steps of a chunk
//
//  1. Read entries after the checkpoint, in parts, as they come; check that they are the next ones; fold them. An entry that is heavy to store
//     ([Heavy]) ends the chunk, a read that waits does, and the pace ([Config].Pace): a second, two while thousands come. Chunks of
//     57,000 trades of a thousand accounts cost Postgres half of what chunks of 16,000 do.
//  2. Begin. Move the checkpoint (sequence number and chain hash) from where this runner believes it to be to the chunk's last entry.
//     If it is not there, another runner has been: [ErrMoved], roll back. The row stays locked until the end, so two runners never write
//     the same tables at once, and can't deadlock in them.
//  3. Write the rows: a few statements with arrays, one row of the table for each thing that changed, however often it did.
//  4. Commit, without waiting for the disk (synchronous_commit = off). The journal's own commits are always synchronous, and come
//     first in the same log, so a checkpoint never survives the entry that it names.
//
// After any error the worker is thrown away and another one opened, at the checkpoint as the database has it then. There is no other
// way to recover, so a COMMIT with a lost answer needs no care: the checkpoint says whether it happened.
//
// # Rebuild
//
// A new generation is begun with tables of its own (the number is in their names), filled from entry 1 while the active one is read and
// followed, and swapped in: one transaction locks the active checkpoint, so that it stands still, folds what it is ahead, retires it
// and makes the new one active. Reads find the active generation and read its tables in the same snapshot, so they see the
// one or the other. If the active checkpoint is no entry of the journal (the tail that it has is gone, or the history is another one),
// the new one takes over with all that the journal has, and both places are logged as a warning. Whether it is one is looked up in
// what is stored: a standby's head may merely be late, and then the rebuild waits for the entries. The retired tables are dropped after a grace, under a short lock_timeout, again and again until nobody reads them.
//
// A generation whose version is not the code's is rebuilt when the runner starts. It is not followed meanwhile: nobody in this process has the
// fold that made it. It is read meanwhile where the projection's queries can read the tables of that version ([Older]); otherwise reads fail
// with [ErrNotBuilt], which the API calls unavailable, until the new one is there.
//
// # Reading one's own writes
//
// [Runner.WaitFor] waits for the checkpoint, on a condition where this process runs the projection and by looking at the row
// where another one does. [Runner.View] waits and then checks the checkpoint in the reader's own snapshot.
//
// # Failure by failure
//
//   - The process is killed: the transaction in flight is rolled back, or was committed; the next leader goes on at the checkpoint.
//   - The process is killed in a rebuild: the generation stays "building" and is resumed at the next start, or given up there if the
//     code's version is another one.
//   - A rebuild's caller goes away: what was built is given up and dropped.
//   - A leader that was thought dead comes back: its next chunk finds the checkpoint moved and applies nothing; its rebuild finds
//     its generation retired ([ErrSuperseded]).
//   - Postgres is away, restarts, fails over, or the journal can't be read: tried again for ever, with a growing pause, logged when the
//     error changes and when it is over, seen in [Status].Trouble and in a metric. The lag is measured on.
//   - Postgres crashes: the last moments may be undone, rows and checkpoint together, and are folded again. A reader that had
//     seen them and asks for at least that place waits.
//   - The fold meets what can't be, or panics: a [Fault], in the log, in the row and in a metric; that projection stops where it is, waits
//     that ask for more fail at once, the others go on. The next start tries again, and a rebuild gives it a sound generation to go on with.
//   - The tables are of another journal (a database restored from elsewhere): the checkpoint's hash is not the entry's, a fault. The
//     journal is shorter than the checkpoint: held up, nothing is applied, and [Verifier] calls it a missing tail. A rebuild repairs
//     both. What was being built from such a journal is given up.
//   - A table is altered by hand: [Verifier] finds it; a rebuild repairs it.
//
// # Rejected
//
//   - Updating balances in the transaction that appends: 5 to 10 times slower appends, and one more thing that can fail a booking.
//   - A row for each posting: see package statement.
//   - Truncate and refill: readers would see nothing, or half.
//   - Views over generations, replaced at the swap: CREATE OR REPLACE VIEW waits for all readers, and makes the others wait behind it.
//   - INSERT ... ON CONFLICT for everything: a third slower than UPDATE and then INSERT, and its guard against other writers is not
//     needed under the checkpoint's lock.
//   - LISTEN/NOTIFY for waits on a standby: a connection for each process and a lock at each commit, to save a look at one row.
//
// # Not obvious
//
//   - Chunk transactions switch off sequential scans and hash and merge joins. A young table has no statistics; reading all of it
//     to update a few rows looks cheap at first and stays the cached plan while it grows.
//   - Rows are written in the order of their keys, so that neighbours share index pages: a quarter less time for a large chunk of
//     statements.
//
// # Files
//
//   - projection.go: what a projection is; checkpoints, generations, errors
//   - config.go, runner.go: the runner, and how it keeps going
//   - worker.go: one generation, chunk by chunk
//   - rebuild.go: rebuild, upgrade, resume, swap
//   - generation.go: the list of generations, the checkpoint's compare-and-set, dropping
//   - wait.go: WaitFor and View; status.go, metrics.go: what can be seen from outside
//   - totals.go: holdings by account and instrument, a shape that several projections store
//   - verify.go: stored rows against a fresh fold
//   - foldtest/: a journal in memory, for tests
package projections
