// Package evidence is the log of a cutover: what was measured, asked, done and answered, in the order in which it was, so that it can be shown afterwards to somebody who was not there.
//
// A folder has one log, evidence.jsonl: a record a line, as JSON. Each record has the SHA-256 of the one before, and ends with its own, which is that of the line without it. Records are
// only added, each is on disk (fsync) before [Log.Append] gives it back.
//
// # Invariants
//
//   - A record that was changed, left out, put in or moved is found by [Read]: its hash, or the chain, is wrong from there on.
//   - Whoever can write the file can write it anew as a whole, or leave its end out. The last record's hash, which every run prints and the report has, fixes all before it:
//     keep it elsewhere.
//   - One process at a time adds: it has a lock (flock) on the file "lock", which ends with it, however it ends.
//
// # Failure by failure
//
//   - Killed in the middle of a write: the last line is not whole. It was never given back, so nothing was done on its account; the next [Open] cuts it off and says so in a record.
//   - The disk is full, or fails: Append gives an error, and so does every one behind it; what the line got is cut off if that is possible.
//   - The log was altered: Open refuses to add to it.
//
// # Files
//
//	log.go     Open, Append: the writer
//	read.go    Read: the reader, which checks
package evidence
