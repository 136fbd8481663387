// Package duck is DuckDB as a warehouse: the only package that imports its driver, which brings the whole of DuckDB in C++ with it. Only hotswap links it.
//
// [Open] gives a *sql.DB for everybody who reads or computes by SQL. [OpenStore] gives what package landing writes to: chunks of rows that are filled in place, in DuckDB's own
// memory, by several goroutines at once, then inserted within one transaction. The driver's own appender takes a row as a slice of interfaces, decimals as big integers: with
// 70 columns that costs more than reading the event's JSON. So this goes through the driver's lower level, package mapping, on a connection of its own to the same database.
//
// The chunks go into a table by INSERT from a function of SQL that hands them out as they are, without a copy. The appender below the driver copies all of them first, then runs the same
// INSERT on all threads: each makes a part of a row group, which are copied together, and who is done first asks for more work in a loop until the last one is: a third of the
// landing's time. Here each thread gets whole row groups, and who is done first sleeps.
//
// # Invariants
//
//   - A transaction is all there after a crash, or nothing of it: DuckDB's write-ahead log, synced at each commit.
//   - Only one process has a file open; inside it all share one database.
//   - Nothing comes from the network: no extension is fetched. Parquet is linked in.
//   - What is written in place is exactly what DuckDB's C interface documents: duckdb_string_t with up to 12 bytes in itself, duckdb_hugeint, validity masks of 64 bits. Longer texts are
//     copied to memory of DuckDB's that the chunk has; a text that is the same as the last one of its column shares that copy. Both live until the chunk is emptied, which is after
//     DuckDB has copied its rows.
//
// # Failure by failure
//
//   - Killed: the next one to open the file replays the log. What was not committed is gone, and its blocks are used again.
//   - Another process has it open: [ErrLocked]; [OpenWait] waits.
//   - The disk is full, or fails: the transaction fails. DuckDB refuses further work on the file until it is opened anew, so the process has to end.
//   - COMMIT fails: it may be there or not; landing_offsets tells, and package landing asks it.
//
// # Files
//
//	open.go    files and connections
//	store.go   transactions
//	source.go  chunks as a table, and INSERT from it
//	chunk.go   rows in DuckDB's memory
//	heap.go    their long texts
//	append.go  rows of other tables, by the driver's appender
package duck
