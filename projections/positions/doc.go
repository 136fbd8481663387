// Package positions is the projection that answers "what does the account have of the security, what did it cost, and what was made of
// it": for each line (account, instrument, currency) the quantity in two buckets, the total cost and the realised profit, now or as of any
// effective date and any place in the journal. Owners' accounts (customers and the firm) and securities only.
//
// # Average cost
//
// A line carries its quantity and its total cost, both exact. A fill that adds to the position adds its gross amount. One that closes q
// of Q releases cost × q ÷ Q, rounded half to even at ten digits; that is the one division, and the last close releases all that is left, so nothing is
// lost to rounding. One that crosses zero is a close and an opening: the closing part is worth q × price, rounded in the same way where it
// has more than ten digits, and the opening part the gross amount less that. Realised profit is proceeds less released cost; of a short position, what was
// received less what is paid. Cost has the sign of the position: a short one's is what was received, below zero. Commission, fees and accrued interest are in
// none of it. Both parties of an allocation or transfer have a fill, at gross.
//
// What is no trade has no price and makes no profit. If it reduces the position it releases cost in the same way; if it adds to it, it adds the
// cost that the event states (the field "cost", else 0); if it crosses zero it does both, with all of the stated cost. Its line is that of the field
// "currency", else USD. A "cost" that is no decimal above zero is none: refusing it is the event's rule's affair, which sees it first.
//
// # Records
//
// Each entry leaves a record in each line that it touches: what it does to the two buckets, and, for a fill, price and gross amount. Records are
// ordered by effective date, then by the trade in whose place they stand ([ledger.Entry.Place]), then by sequence number; cost is carried in
// that order. A cancel adds no record: it marks the one that it cancels with its own sequence number. So what was known before the cancel is still
// there to be read, and what is known now goes on as if the trade had never been. A correction is a cancel and a record in the same place.
// Settlements, and their reversals, are records that cost knows nothing of; among those of their date they stand in the order of the journal,
// so that a roll adds to the end of lines.
//
// A line's records are cut into blocks of up to 128. bk_read.positions_fills_N has a row for each:
//
//	first_date, first_trade, first_seq   the bound: the place of its first record; zero for a line's first block
//	records                              the records, about a dozen bytes each (encode.go)
//	mark                                 how many, the last one's place, and where the line stands after it
//	latest                               the last entry that any of its records knows of, cancels included
//
// bk_read.positions_N has a row for each line: where it stands after its last block.
//
// # What an entry costs
//
// A record that comes last in its line, as nearly all do, is appended to the last block without that block being read: the fold remembers where each line
// ends. A chunk does this for all lines in two statements, and two more for new blocks and lines. Anything else (a cancel, a correction, a booking of
// an earlier date) loads the line's blocks from that place on, a few at a time, changes one, and works out anew where the following ones
// end, until one ends as before. So it costs what has happened on that line since; other lines and the journal's length don't matter.
//
// # Questions about another time
//
// As of a date, all that is known: the last block that begins by then, and the mark of the one before it. As known at an earlier place: the blocks before the
// first one whose latest is beyond that place are as they were; from there on records are replayed that were there, and not cancelled, then. Both are right
// because a record is never removed and never moves, and only one thing about it ever changes, once.
//
// # Invariants
//
//   - A line's buckets are the exact sums of its account's postings of the security (of entries in that currency); rows, blocks and marks are those
//     of the records in their order (promises P5 and P7).
//   - The rows are a function of the journal and the checkpoint, not of how the fold was cut into chunks. Blocks are: ops are applied one by one in journal
//     order, a full last block is followed by a new one, any other full block is cut in halves; bounds never change.
//   - An answer is one snapshot. A question with KnownAt has one answer for ever, and waits until the place is folded.
//   - Memory: a chunk's records, the ends of 131,072 lines, and about a thousand blocks while lines change before their end.
//
// # Failure by failure
//
//   - An account or instrument that [Books] doesn't know, a bucket that is none, a cancel of what is not there or is cancelled already, an amount
//     that overflows: a fault, which names entry and line; the projection stops before the chunk.
//   - The fold is killed or an error ends a chunk: it is thrown away, and the next one reads where lines end as it comes to them.
//   - A row is altered: the checker names line and block. It holds a sum of hashes for each line, of the records that the journal makes, compares it with
//     that of the stored ones, and replays these against each mark and the line's row. What it can't see is a line whose sound records were cut into
//     other, equally sound blocks with right marks: that changes no answer.
//   - A block is altered so that it can't be read: questions that need it fail and say which line; the fold, coming to it, stops.
//
// # Rejected
//
//   - A row for each fill: five times the space and the time, and to work out anew means to read and update each.
//   - Marks relative to the block's beginning, so that a change need not touch the following blocks: released cost depends on cost, so they
//     are not.
//   - A fingerprint of the records in the line's row: the checker makes one of the blocks themselves, and needs no other.
//   - Larger blocks: fewer rows, but each chunk writes the last block of each line that it touches again.
//   - Numbers as columns of the blocks' table: they are read by nobody but this package, and four numerics take longer to write than the rest.
//
// # Files
//
//   - record.go: what an entry does to lines; state.go: average cost, and which records a question sees
//   - block.go: blocks and how they grow and split; encode.go: their bytes
//   - book.go: the whole projection in memory
//   - positions.go: the tables; fold.go, rewrite.go, store.go: the fold and what it writes
//   - query.go, reader.go: questions; check.go: the checker
package positions
