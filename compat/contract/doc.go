// Package contract asks a system whether it keeps the contract of the legacy Bank API. It is a black box's test: it knows the address of the
// API's listener and of the operations listener, speaks plain HTTP and JSON, and imports nothing of what it tests. The reference Bank, BK behind the same
// API, and the façade in each of its modes are all held against the same cases with the same assertions; there is no list of exceptions.
//
// # How it runs
//
// [Run] is called once for each target, in a subtest of its own, with a [Starter] that gives fresh, empty systems. It asks for three:
//
//   - one where no business date is ever set: trades open when booked, nothing settles. Most cases run there, in parallel, each with accounts of its own;
//   - one where a key is configured and the business date is Monday 2013-10-07 and stays: what is new, open and late; who gets in;
//   - one that rolls on: its cases run one after another, each from a day that is later than where the one before ended, so that any of them can run
//     alone.
//
// A case sees nothing that another left behind: it makes its accounts, names its trades and files uniquely, and only asserts on lists over the whole system
// (accounts, entities) what holds with others at work beside it.
//
// # What it asserts
//
// Whole answers where the contract gives them: status, type of error and what the message must name, and JSON compared by value, with numbers and
// decimals by their text. Where the contract is silent the case is silent too.
//
// # Files
//
//	target.go     Target, Starter, Run; systems and cases
//	client.go     one case's calls: requests, answers, accounts, pages, calls at the same time
//	expect.go     comparing JSON
//	trade.go      trades as a client writes them
//	transport.go  protocols, routes, methods, bodies, keys
//	broken.go     bodies that break off, on raw connections
//	decimals.go, fields.go, needs.go          a trade's fields
//	booking.go, stored.go, repeats.go, conflicts.go, order.go, cancels.go, replacements.go, races.go   what calls do together
//	fees.go, settlement.go, calendar.go, states.go, rolls.go, rolled.go, replays.go         what a trade does, and when
//	accounttrades.go, positions.go, balances.go, journal.go, pages.go                reads
//	entities.go, cash.go, uploads.go, uploadrows.go, texts.go                                  the rest
package contract
