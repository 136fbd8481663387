// Package causes names what is wrong between two streams of Bank's events. It is given all events of an account on both sides, as SQL has found that something about the
// account is not as it should be, and says which event is the first that is wrong, what is wrong with it, and what only follows from that.
//
// # How an account is looked at
//
//  1. A repeat, that is the same event under the same event id, is taken out: a relay may do that.
//  2. Events are matched: by trade (or cash movement) and event, else by the client's id, which finds ids that were exchanged, else by their totals, which finds an event
//     under another name. What is left on one side is missing there, extra here, or the second of the same (match.go).
//  3. Pairs that say other things are named after the field that is first in the order in which Bank derives them: with a wrong price, the gross amount, the net amount and
//     the balance are wrong too, and are no causes of their own (field.go).
//  4. Order: the longest run of events that is in order on both sides stays; the others are out of order, or late if they came behind two or more (order.go).
//  5. Running totals: the difference of both sides' totals is a level. Where the level changes, there is a cause: the event itself, or one that is missing or extra
//     right before it; is there none, the total itself is wrong. Where it stays, the row follows from the cause that made the level. And each side is added up
//     by itself, so that a mistake that both make is found (chain.go).
//  6. The ends of days follow from those levels (day.go).
//
// At the end, what is missing in one account and extra in another is a wrong account, two events with each other's ids are swapped, and a missing event whose record
// could not be read is unreadable (finish.go).
//
// # Invariants
//
//   - Whatever differs is a [Finding] or is counted as following from one: nothing is left out.
//   - The result depends on the events alone, not on the order in which accounts come, except for which of two swapped events is named first.
//   - Memory: one account's events, and what is missing or extra until the end, up to [Config].MaxOpen events; those beyond are named by themselves.
//
// # Rejected
//
//   - To replay Bank's logic and compare with that: a third set of books could be wrong, too. What a trade does to the totals is read off its own amounts.
//   - To name by SQL alone: a level's cause is a walk with memory, and recursion in SQL is neither fast nor the same in two warehouses.
package causes
