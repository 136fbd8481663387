// Package shadow finds out whether two systems that are to keep the same books do: it plays what clients do, many at once, through a façade, waits until the
// system that follows has followed, and compares everything that both say, to the last digit. It starts none of them, and speaks plain HTTP.
//
// # What is played
//
// Each client draws its requests from a seed and its own number, so that one client alone makes the same requests each time; of several, only the order in
// which they meet differs. Drawn are trades of all types in several currencies, the same symbol under several types of identifier, late, ahead, when-issued, with
// irregular settlement, in calls of one or many; cancels by both ids; corrections, often of corrections, sometimes of what is cancelled or settled; the same
// trade again, also written in another way; other content under the same ids; requests with faults of every kind; cash; reads; and the roll of the day, while
// all else goes on. A few accounts have most of it.
//
// # What a client checks
//
// The desk knows what was acknowledged. An answer must be one of those that the contract allows then: a trade whose cancel was acknowledged before is
// trade_already_canceled ever after, a repeat gets the first id, an id is given once, and a client's ids go up. What is booked is read back and is what was sent,
// normalised. Each client has an account of its own, whose positions it knows exactly. Whatever is not so is a surprise; it is counted, and the play goes on.
//
// An outcome that is not known (outcome_unknown, no answer) makes the client send the same again, as the contract says; so does internal.
//
// # What is compared
//
// Accounts, entities, the business date; each trade by its id, with the times of booking and cancel; of each account the lists of trades of each date, cancelled ones
// too, with running positions, positions of both views, balances, and the journal row by row in order, without journal_id. The journal is added up: its running
// position must be what the trades say, its sums what positions and balances say. Last, each system is asked for the last cash movements again, and must give their
// ids; that would make those that it lacks, so it is done only if nothing differs.
//
// A comparison of All finds the trades itself: those that journals name, and those that are left in the sequence of ids, as no journal names a trade whose date has not come. With a
// Wait it may be made while both are written to: a part that differs is looked at again with growing pauses. Each system has [Comparison].Parallel calls at once, of
// accounts and of an account's trades, and the next page of a list is read while one is looked at. BK may be compared in process, see [System].
//
// What is in memory: two pages of two lists for each account that is being compared, and the journal's running positions of its trades; of a play, the ids and names of its
// trades, and the last 2,000 trades themselves; of a comparison of All, the ids of all trades.
//
// # Files
//
//	run.go play.go     Config, Run, Report; Traffic, Play, Played
//	player.go desk.go  a client; what all share
//	book.go cancel.go cash.go bad.go look.go   what clients do
//	trade.go variant.go                        trades, and other ways to write them
//	compare.go check.go                        Comparison, Compare, Compared; a look at a part
//	list.go journal.go every.go                lists, an account's books, each trade by its id
//	system.go inprocess.go                     calls, over HTTP and in process
package shadow
