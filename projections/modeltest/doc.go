// Package modeltest is the model test of the books: bookkeeping once more, in the plainest Go, and random sequences of commands whose every effect and
// every answer must be what the model says.
//
// # The model
//
// [Model] is written from the rules of bookkeeping alone. It shares no code with the ledger's rules or the projections' folds, not even numbers or dates: amounts
// are fractions (math/big), the holidays of the months that sequences play in are a list, the fees are a table of their own. It keeps the list of entries
// that the ledger should have booked, and answers every question by going through all of it again: the states of trades, holdings, positions with cost and
// realised profit, unsettled cash, statements, stock record and cuts, as of any effective date and as known at any place. It is slow, and
// that is the point: there is nothing in it to get wrong but the rules themselves.
//
// For each command it also says beforehand what comes of it: the reason of a rejection, or each entry with its dates, links, state and
// postings, under the number that it must get.
//
// # The test
//
// A sequence is some dozen steps, each of them plain data: a command of a client, a roll, or reads at a date and a place. A seed makes it, always the
// same: trades of all five types around the business date, short, through zero, with fractions that make cost round, when-issued, with irregular
// settlement dates; cancels and corrections of trades in every state, corrected and cancelled ones, too, by key, id or both; cash, journals, currency
// exchange, postings by hand, street settlements by themselves, rolls with and without the street side, repeats, and steps that are wrong. Every 200th one is
// long and stays with a few accounts, so that the folds' blocks fill.
//
//   - In memory (TestMemory): the ledger's rules and sequencing (foldtest.Books) and the folds (the Books of positions, trades, cash and daily). Each entry is
//     compared as it is made, each day's cut by its hash, and at each read balances, positions, trades and cash.
//   - Whole (TestAPI): a node of its own on a database of its own for each sequence, and everything through the client: bookings by single calls and
//     batches, and all reads page by page, at places given by token or by time. In the end the server verifies itself.
//
// A sequence that fails is made shorter and plainer as long as it still fails, and printed with its seed.
//
//	go test ./projections/modeltest -sequences 10000 -api 200      # what make model-test runs; without flags 300 and 5
//	go test ./projections/modeltest -run Memory -seed 4711         # one sequence
//	go test ./projections/modeltest -run Memory -steps steps.txt   # steps as they were printed, one on each line
//
// # Read into the rules
//
// Where the rules leave something open, the model says what it took them to mean:
//
//   - Accrued interest is no part of a position's cost or proceeds, as commission and fees are not.
//   - A fill that crosses zero closes at its price times what it closes, rounded half-even at 10 digits; the opening gets what is left of the gross.
//   - A movement without a price has one effect an account and entry, the sum of its postings there. What comes in, or goes below zero, has the cost that
//     the event states; of one that crosses zero the opened part has all of it.
//   - A trade booked late settles as the last roll did: with the street side, or without.
//   - A correction of a trade that had settled before it was cancelled is one after settlement, too.
//   - A cancelled trade is cancelled as of every date; before its effective date a trade in force is new.
//   - Movements by hand, and journals that name no currency, are of the position in USD, whatever the security is listed in.
//
// # Files
//
//   - command.go, reject.go: what is asked for, and why it is refused
//   - model.go, trade.go, event.go, calendar.go, number.go: what comes of it
//   - read.go, position.go: answers
//   - generate_test.go, shrink_test.go: sequences
//   - memory_test.go, answer_test.go, entry_test.go: against the folds in memory
//   - server_test.go, server_read_test.go: against the API
//   - model_test.go, plain_test.go, view_test.go, tally_test.go, translate_test.go: the tests, and what both share
package modeltest
