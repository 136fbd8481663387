// Package bootstrap brings all of Bank's data into an empty BK, and what the façade keeps beside BK into an empty database of the façade: all that Bank's API on BK needs to answer as Bank
// did. It reads Bank once (package source), has its history made into commands in Bank's order (package history), books these in memory (package bulk of the API), copies the rows that
// come of it, and proves that the new books are the old ones. How it is operated is in docs/bootstrap.md.
//
// # Phases
//
//	plan       mode, source, version of the rules: pinned in the work store
//	extract    one snapshot of Bank and its place, under one brief write barrier; all tables as chunks of CSV
//	transform  each chunk of trades, cash movements and journal rows by itself, in parallel: what rules say about the row, as sorted runs of records
//	stage      one pass in Bank's order: chunks of BK's journal, and of the façade's tables; what is in quarantine; MANIFEST.json over all of it
//	load       the façade's rows, then the journal, into a ledger that nobody serves; the journal's hash chain and sums are checked; then servers are let in
//	catch-up   what Bank did since, through the engine: a façade in bank-only follows Bank's topics from the place of the snapshot on
//	verify     the trial balance at the place, and all of Bank's tables against BK's projections as they are now
//
// # Modes
//
// In mode full BK's journal has all of the history. In mode opening it has opening balances and the trades that can still change; what was over is in the façade's archive (package
// compat/facade/books/archive), which is one kind of chunk more: the same plan, passes, load and proofs. The archive's end in BK's journal is noted with the load (facade.bootstrap.opening_head).
//
// # The work store
//
// All state is in the work store (package store), in nobody's database but for what is loaded:
//
//	plan.json  extract.json  load.json  catch-up.json  verify.json  progress.json
//	extract/ATTEMPT/TABLE-NUMBER.csv, .json       a chunk, and what it is
//	transform/TABLE-NUMBER.KIND, .json            its runs, and of what input, by which rules and decisions they were made
//	stage/INPUT/journal-NUMBER.copy, TABLE-NUMBER.csv, quarantine-NUMBER.jsonl, repairs, adjustments
//	patch/  booked/                               what people decided about rows in quarantine, and what was booked of it after the load
//	MANIFEST.json                                 all objects with rows and SHA-256, Bank's place, the rules' counts; it has a hash of itself
//
// # Invariants
//
//   - Snapshot and place belong together: all of Bank's work up to the place's event is loaded, all behind it is followed, and nothing is both. Where Bank's topics ended before the
//     snapshot is noted with it, so that Kafka may have deleted what was before.
//   - Transform and stage are pure: the same extracted chunks, rules and decisions give the same bytes, whatever the parallelism and however often they were killed. What they wrote
//     is recognised by its hash.
//   - After extract nothing reads Bank but catch-up and verify.
//   - An object is read to its end by whoever uses it, and its hash is checked before what was read counts. A chunk of the load is one transaction that ends only if the hash was right.
//   - Each chunk is loaded once: the note of it is in the transaction of its rows.
//   - A façade does not begin on a database that is half loaded (table facade.bootstrap), BK does not serve a journal that is half loaded or was not checked.
//   - One bootstrapper at a time is at work on a façade's database: a session's advisory lock.
//   - What is not the same on both sides is a row in quarantine, a repair or an adjustment, each by a named rule, or it is a difference, and the exit code says so. The trial balance
//     is exact: Bank's holding, less the effects of the rows in quarantine, is BK's.
//
// # Failure by failure
//
//   - Killed in extract: a snapshot dies with its session. Another one is taken, under another barrier, and what was read under the old one is thrown away.
//   - Killed in transform: chunks that have their note stay. In stage: it begins anew, and what is there already is not written again. In load: chunks that are in are passed over.
//     In the check of the journal: it is checked again. In catch-up and verify: they begin again; both write nothing but through the engine, which knows repeats.
//   - A kill between the journal's end and its note: the load is found to be done.
//   - Bank is busy (a long transaction, an interrupted roll, an upload): the barrier gives up after Barrier, and is tried again for BarrierFor. Bank's writes never wait longer than Barrier.
//   - Bank suffers while it is read: readers pause, see source.Throttle.
//   - An object is damaged: store.ErrDamaged with its name. One of extract can't be had again from the same snapshot, so begin anew with another work store; those of transform and stage
//     are made anew when their notes are removed.
//   - This program has other rules than the plan: [ErrRules]; Replan makes transform and stage anew.
//   - The session that holds the lock is lost: the run ends, and can be begun again.
//   - Kafka has deleted events behind the place before they were followed: a gap, as ever; catch-up ends with it.
//   - BK refuses in catch-up what Bank has done: the queue is blocked; catch-up ends and says what it is.
//   - A façade that ran in a killed bootstrapper counts as running until its lease is over, 10 s; then another one is run.
//
// # Not obvious
//
//   - Entities and accounts have no events. Those that Bank opened since the snapshot are brought by catch-up's end (directory.go), as a step out of bank-only does.
//   - Rows that can't even be read (NaN as an amount) are put into quarantine here, by the rule row-unreadable, and rules of history meet their journal rows as orphans.
//   - After the load a row in quarantine is booked through the engine as POST /replay would: under its id and its times, but on the present business date.
//
// # Memory
//
// Chunks that are being worked on, Parallel of each kind; what history has of open trades; ids of all accounts in catch-up; rows in quarantine in verify.
//
// # Rejected
//
//   - State in Bank's or BK's database: neither is ours to write to, and a dry run must leave nothing.
//   - Logical replication in place of snapshot and topics: needs rights and slots on the old system, and the topics are there anyhow.
//   - Resuming an extract under a new snapshot: rows of two instants are no books.
//
// # File map
//
//	config.go state.go       Config; what is in the work store
//	bootstrap.go             Open, Run, plan, the lock
//	extract.go transform.go stage.go load.go   phases; published.go: whether BK's topic is empty
//	systems.go catchup.go directory.go         BK and a façade on what was loaded; what Bank did since
//	trial.go verify.go accounted.go            proofs, Report
//	quarantine.go rebook.go  what was put aside, and its way back
//	status.go progress.go    how far it is
package bootstrap
