// Package duck is DuckDB as a warehouse: the only package that imports its driver, which brings the whole of DuckDB in C++ with it. Only hotswap links it.
//
// [Open] gives a *sql.DB for everybody who reads or computes by SQL. [OpenStore] gives what package landing writes to: chunks of rows that are filled in place, in DuckDB's own
// memory, by several goroutines at once, then appended within one transaction. The driver's own appender takes a row as a slice of interfaces, decimals as big integers: with
// 70 columns that costs more than reading the event's JSON. So this goes through the driver's lower level, package mapping, on a connection of its own to the same database.
//
// # Invariants
//
//   - A transaction is all there after a crash, or nothing of it: DuckDB's write-ahead log, synced at each commit.
//   - Only one process has a file open; inside it all share one database.
//   - Nothing comes from the network: no extension is fetched. Parquet is linked in.
//   - What is written in place is exactly what DuckDB's C interface documents: duckdb_string_t with up to 12 bytes in itself, duckdb_hugeint, validity masks of 64 bits. Longer texts are
//     given to DuckDB to copy; a text that is the same as the last one of its column shares that copy, which lives as long as the chunk.
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
//	open.go   files and connections
//	store.go  transactions
//	chunk.go  rows in DuckDB's memory
package duck
