// Package rate measures how fast events are landed in DuckDB, on this machine: from memory, which is the landing itself, and through Kafka, as it runs. The command
// hotswap bench landing only binds flags.
//
// # What is measured
//
//	memory  events as JSON that lie in memory: reading them, hashing, columns, transactions, and closing the warehouse (which writes what its log has)
//	kafka   the same through a broker in a process of its own
//
// Events are made up by package generate; a quarter million different ones are taken again and again, under other offsets. Each round lands into a new file. Rates are medians of
// rounds; processor time is this process's, so not the broker's.
//
// # Failure by failure
//
//   - Something is not landed, or twice: the run ends with that.
//   - This process is killed: the broker ends with it; the folder stays.
package rate
