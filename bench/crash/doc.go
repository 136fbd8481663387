// Command crash is the crash loop: it books on a real `bk serve`, a durable Postgres and a broker from several clients at once, rolls the
// business date from day to day beside that, kills one of the three round after round, and proves at the end that nothing was lost and
// nothing doubled.
//
//	make crash-test ROUNDS=50
//	go run ./bench/crash -rounds 5 -faults serve,kafka -kafka-home "$(.ci/kafka/fetch)"
//
// # Load
//
// Each client books a trading day of its own, on accounts that all share: chunks of commands by unary calls, batches of either mode and
// streams, at a pace, and without a rest around each fault. A command is sent with its key until it is acknowledged, wherever a server
// is. Some are sent again after that. Trade dates lie around the business date of the moment: some trades are booked ahead, some so late that they
// settle at once; corrections and cancels meet trades that are new, open and settled. Beside trades there are cash, journals and foreign exchange,
// some effective on other days, and street settlements, which their trade may refuse.
//
// The roller takes the business date a day further, or three, with the street side and without, on whatever server leads, and asks until it is told
// that the day is reached; sometimes it goes away in the middle, or asks once more for the same day. About every other fault waits for a roll,
// and strikes somewhere in it.
//
// # Invariants
//
//   - Clients believe nothing: every answer is held against all that they were told before (memory.go). A second answer to a key must be
//     the first one; what is called a repeat must have had a try whose outcome was open; a refusal that promises that nothing was booked
//     must be true; an atomic batch is booked whole or not at all; a command whose trade is acknowledged isn't refused for want of it; a day
//     has one end, and a roll that was acknowledged is over.
//   - A round ends when every client has booked with a call that began after the fault, and projections and publisher have gone beyond
//     that. Nothing waits for a time, all for a condition, with a bound.
//   - The check at the end trusts no program under test: beside the server's own verification it reads the rows in Postgres and the
//     records in Kafka. It shares with the server only how an entry is decoded and how a hash follows from the one before.
//   - What it proves of rows: each acknowledged key once, in one chain; entries without a key belong to a command, whole and in one row, or to
//     a roll; each trade goes its way step by step, and its cancel undoes all of it; days follow each other without a hole, each brings all that is
//     due, in order, with nothing in between; the cuts and the balances follow from the postings.
//   - Same seed, same commands and same faults, but for the dates, which follow the business date. When a fault hits is not the same: the load is real.
//   - In half of the rounds that stop Postgres its last answers are lost before: commits that were done and not heard of.
//   - All processes end with this one, whichever way it ends. The folder stays if anything failed, and the ends of all logs are shown.
//
// # File map
//
//	main.go           the command line, the order of things, the summary
//	deck.go           which fault in which round
//	world.go          Postgres, broker and servers
//	proxy.go          between servers and Postgres, to lose answers
//	server.go         one place for a `bk serve`
//	loop.go           the rounds
//	client.go         a client: what it books, again and again until it is acknowledged
//	orders.go         what there is to book: a trading day around the business date, events, street settlements
//	roller.go         the business date, day after day
//	send.go           the ways to book
//	memory.go         what a client knows, and what contradicts it
//	check.go          the checks at the end, and the server's own verification
//	check_journal.go  the rows of the journal: keys, chain, balances
//	check_group.go    which entry may stand where
//	check_trade.go    the lives of trades
//	check_day.go      days, what is due on them, and their cuts
//	check_stream.go   the records of the stream
package main
