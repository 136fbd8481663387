// Package bench measures the append path: how many entries a second the engine books, how long a booking takes, and what share that is
// of what the same Postgres can do at all. The command bk bench append only binds flags.
//
// # What is compared
//
// All ways store the same rows: the engine books generated trades once, and what it stored is read back for the ways without an engine.
//
//	raw COPY    the ceiling: rows encoded beforehand, into the same table and indexes, a transaction a batch
//	engine      journal.Book in this process, idempotency enforced, in groups of 1, 100 and 1000
//	Connect     the API on loopback in a process of its own: single calls, batches, a stream of single entries. Without projections,
//	            as the engine in process; once more with them, as in bk serve
//	INSERT      a prepared INSERT a transaction, on 64 connections and on one: how systems book that have no batches
//
// # Invariants
//
//   - One run of the program, one Postgres, that must be durable (fsync and synchronous commit on); a server that isn't is refused.
//   - Every run of a side has a database of its own, cloned from a migrated template, after a checkpoint. Accounts, house accounts and
//     connections are there before the clock runs, requests are made, garbage is collected.
//   - After every run the rows in the table are counted: only what is there counts. A refusal or a repeat in a closed loop is an error.
//   - The sides take turns, each round in another order, and ratios are the medians of the rounds' own ratios: machines are noisy.
//     All configurations run in the trials; the best of each way that BK promises something of run again in the finals, seconds apart,
//     and what is promised is measured there.
//   - Latencies are counted for each entry. In the open loop they count from the time at which an entry was to arrive, whatever held it
//     up (coordinated omission is corrected).
//   - Nothing is left out: every configuration is in the report, the best one of each way is marked.
//
// # What the figures don't say
//
// Load, engine and Postgres share the machine's processors; with clients elsewhere the engine has more. Slow ways store fewer rows, on
// which they are a little faster than they would be on all. /proc counts processor time in hundredths of a second, so that of Postgres and of the API
// is rough in short runs. Memory and these times are shown on Linux only.
//
// # Failure by failure
//
//   - A side fails: the benchmark ends with its error; databases and children go.
//   - This process is killed: the throw-away server and the children end with it; the folder stays in the temporary folder. On a
//     server that was given, databases named bk_bench_* stay.
//
// # File map
//
//	config.go bench.go measure.go   configuration; the rounds; clock and closed loop
//	workload.go rows.go             the trades; the rows they become
//	raw.go engine.go connect.go     the sides
//	open.go scheduled.go            the open loop; what runs on a schedule
//	overload.go                     twice the capacity
//	child.go server.go              processes with one part to themselves; the API's
//	postgres.go disk_*.go cpu.go    the server and its databases; processor time and memory
//	report.go table.go plot.go      figures, text and JSON, pictures
package bench
