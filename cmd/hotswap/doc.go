// Command hotswap puts BK in the place of Bank under Bank's clients, step by step and reversibly. `hotswap bank` serves the reference Bank: the
// legacy system, as the yardstick and for trying the swap out.
//
// Every command is a constructor newXxxCommand(*app) in a file of its own, listed in root.go; it binds flags and leaves the work to a package.
//
// # Exit codes
//
//	0  done, or ended as told
//	1  the command ran and something in it failed
//	2  usage: unknown command or flag, wrong arguments
//
// A cutover has two more: 3: it failed, and has gone back; 4: it has stopped, and somebody has to see to it.
//
// # File map
//
//	main.go root.go        start, the list of commands, exit codes
//	bank.go own_parts.go   the reference Bank, and the Postgres and Kafka of its own
//	facade.go facade_*.go  the façade, and what is asked of its admin listener
//	stream.go stream_*.go  BK's events as Bank's, and what is asked of an instance's admin listener
//	admin_call.go          a call of either admin listener
//	compare.go bench.go    all of Bank against all of BK; what the façade costs
//	parity*.go             both event streams, and the books, compared in a warehouse; faults put in on purpose; bench_parity.go measures
//	warehouse*.go          the warehouse that events are landed in; bench_landing.go measures that
//	cutover*.go            release scripts, and what is asked of one that runs
//	flags.go log.go        errors under the names of flags, ports that are taken; logging
package main
