// Package audit proves the books: it reads everything there is and compares it with what the promises say (bk verify).
//
// One repeatable-read snapshot of Postgres shows the journal and all projections as of one moment, so an audit runs beside booking.
// In it, every row of the journal is checked on its own and against the one before, and fed to the checkers of the projections, which
// fold anew and compare. The Kafka stream is compared with the journal afterwards, by the publisher's own verification.
//
//	journal.sequence    1, 2, 3 … without a gap (P2)
//	journal.encoding    every payload is an entry, in canonical form, and the row's columns say the same as the entry
//	journal.chain       every row's hash follows from the row before and the row itself: a changed byte shows (P2)
//	journal.zero-sum    every entry's quantities add up to zero, instrument by instrument (P1)
//	journal.order       epochs and booking times never go back
//	journal.head        the journal reaches what the writer had acknowledged last: a cut-off tail shows (P3)
//	journal.keys        no idempotency key stands twice (P4)
//	projection.NAME     the stored rows are the fold of the journal (P5)
//	stream              the Kafka stream is the journal, event by event and byte by byte (P6)
//
// A breach is a finding, no error. Where the journal itself is broken at a row, the checks of rows go on behind it; projections and
// the stream are compared only if the journal could be read without a gap, since there is nothing to compare them with otherwise, and say so.
//
// # File map
//
//	audit.go     the run and its findings
//	journal.go   the checks of the journal's rows
package audit
