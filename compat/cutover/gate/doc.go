// Package gate measures whether a cutover may go on: built-in gates, each of which asks the systems themselves and says with figures what it found.
//
// A gate only reads. What can't be measured does not hold: a gate never guesses, and a system that does not answer is a reason to stop. Each measurement has a time-out of its own (its
// context's), so that a system that hangs stops a cutover, and does not hold it up.
//
// # The gates
//
//	replication-lag   the standbys of a database, by pg_stat_replication, or by aurora_replica_status() where there is one
//	stream-lag        the instances of the façade's stream: all partitions run, and are not behind
//	queues-drained    what the façade has still to bring to the other system, calls of which nobody knows the outcome included
//	none-blocked      rows that the other system has rejected, and rows of uploads that fail again and again
//	no-upload         files that are being worked off, by the façade or by Bank
//	sequences         the ids that whoever is the primary gives next lie behind all that there are; Bank's sequences are behind its tables' last ids
//	ledgers-match     all of Bank against all of BK: package shadow, as by hotswap compare
//	trades-in-place   open trades and those to come, counted by state, trade date and settlement date in both systems
//	parity-clean      a report of hotswap parity: nothing unexplained, and not old
//	disk              free space at a path, or a database's size
//	connections       connections of a database's server against its limit
//	ready             all replicas of the façade: alive, in the same epoch, ready, with a primary that answers and writes that are taken
//	mode              the façade is in a mode
//	sql               a query's answer is what it should be
//
// # Files
//
//	gate.go      Gate: one of the kinds, its measurement
//	targets.go   whom gates ask
//	sql.go       queries
//	units.go     sizes and shares as people write them
//	facade.go    gates about the façade;  postgres.go about databases and disks;  stream.go about the stream
//	books.go     ledgers-match;  trades.go trades-in-place;  ids.go sequences;  parity.go parity-clean
package gate
