// Package loader books trade files and cancel files through the API, row by row in their order.
//
// # How
//
// A goroutine reads rows into batches, ahead of the one that sends them with BookBatch, each row on its own. One batch is on its way at a
// time: a correction must come after the trade that it replaces, and the journal keeps the order of the file. (A BookStream keeps
// it as well, but costs a message a row: a third of the rate on the same cores.)
//
// # Invariants
//
//   - The outcome is as if every row had been sent after the one before it was answered. Where a row must be sent again (the
//     ledger was overloaded, the outcome unknown, cancel_trade_id was a trade id), the rows behind it that were refused are sent
//     again after it, as they may have been refused for its lack alone.
//   - Rows have their keys from the file, so sending again, or loading the whole file again, books nothing twice.
//   - A bad row is reported and the others are booked. Nothing is given up silently: what can't be booked within [Config.Timeout] without
//     any progress ends the load with an error.
//   - Bounded: two batches of at most 1000 rows and a few MiB; besides them only the set of accounts and instruments seen.
//
// # Failure by failure
//
//	server overloaded, standing by, restarting    the same batch again, with growing pauses
//	connection lost, answer lost, time-out        the same: the keys tell what was booked
//	row refused                                   reported, with the file's column; the load goes on
//	row can't be read                             the same
//	rest of the file can't be read                what was read is booked, then the *tradefile.FileError
//
// # File map
//
//	loader.go  configuration, a load from beginning to end
//	batch.go   rows read ahead
//	send.go    one batch until all of it is decided
//	define.go  accounts and instruments that are missing
//	retry.go   calls that are made again
package loader
