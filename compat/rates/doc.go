// Package rates measures what the façade costs and what it gives, against the Bank that it stands for, in one run on one machine: what bank-only adds to a call, how many
// trades a second bk-only takes beside Bank, and whether Bank is an honest yardstick, beside pgbench's TPC-B. The command hotswap bench only binds flags.
//
// # What is compared
//
//	added      one client, one call after the other, in pairs: the same kind of call to Bank direct and through a façade in bank-only; reads and single bookings
//	singles    calls of one trade, Bank and a façade in bk-only, many clients in a closed loop
//	calls      calls of a hundred trades, likewise
//	pgbench    TPC-B-like transactions, on as many connections as there are clients
//
// # Invariants
//
//   - All servers are processes of their own, as users run them: hotswap bank, hotswap facade (once in each of the two modes), bk serve. They have
//     databases of their own on one durable Postgres, which nobody else uses.
//   - Neither Bank nor BK has Kafka: what would be published is in their tables. So Bank is spared its relay.
//   - The sides take turns, phase by phase, each round in another order, after a checkpoint; ratios are the medians of the rounds' own ratios: machines are noisy.
//   - Load is the same for all: the same client, the same bodies but for the names, made as cheaply as can be, since it shares the processors.
//   - Every answer must be the one that is asked for, and at the end Bank's tables and BK's journal must have exactly what was acknowledged.
//
// # Failure by failure
//
//   - A server does not start, or ends: the run ends with its last words. Servers, database and folder go.
//   - This process is killed: Postgres ends with it, and the servers, on Linux.
//   - There is no pgbench: the run goes on, and the report says that the yardstick was not looked at.
//
// # Files
//
//	config.go       Config            run.go     the order of everything
//	child.go linux.go other.go   servers   postgres.go  the database, pgbench
//	load.go client.go    calls        pairs.go   added latency
//	cpu.go          processor times    report.go       figures, text and JSON
package rates
