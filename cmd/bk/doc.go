// Command bk runs the ledger and talks to it.
//
// Every command is a constructor newXxxCommand(*app) in a file of its own, listed in root.go; it binds flags and leaves the work to a
// package. Client commands take --server (or BK_SERVER) and need nothing else.
//
// # Exit codes
//
//	0  done; what was booked before already counts as done
//	1  the command ran and something in it failed: rejected rows, a breach found by verify, an error
//	2  usage: unknown command or flag, wrong arguments, a file that can't be read as what it should be
//	3  the server can't be reached, or did not answer in time
//
// # File map
//
//	main.go root.go exit.go        start, the list of commands, exit codes
//	serve.go dev.go dev_stack.go   the server, and the server with a Postgres and a Kafka of its own
//	demo.go demo_load.go …         the demo: demo_show.go, demo_days.go
//	migrate.go                     the database's schema
//	config.go readyfile.go …       settings of servers, the file that says where they are
//	server.go output.go            --server, --output and what client commands have in common
//	progress.go rejects.go         progress and rejected rows of book and cancel
//	book.go                        book, cancel
//	event.go roll.go again.go      single events, the business date; calls made until they are answered
//	positions.go cash.go …         balances in all their forms: trial_balance.go, stock_record.go, cuts.go
//	asof.go                        days, --as-of and --known-at, instruments by name
//	entries.go statement.go        the journal and one account's part of it
//	trades.go                      trades as they stand
//	directory.go status.go         accounts, instruments, status
//	verify.go rebuild.go           what runs in the server and streams its progress
package main
