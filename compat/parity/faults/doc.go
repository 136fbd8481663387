// Package faults alters a few of a million landed events, so that one can see whether a comparison finds each of them, gives each its right name, and finds nothing else.
//
// [Inject] takes a warehouse in which both sides are equal, and one side of it. It draws events by a seed, alters each in one way, and writes them back as they would have been
// landed, with the content_hash and canonical that package landing would give them; running totals of later events stay as they are, as when one message is wrong. What it
// did is a [Manifest]. [Check] holds a report of package parity against it.
//
// # Invariants
//
//   - The same seed, kinds and count alter the same events of the same warehouse in the same way.
//   - All or nothing: one transaction.
//   - Two faults never meet: each has a trade of its own, and in an account at least [Config].Apart events lie between two.
//   - An event that is read back is the event that was landed: its content_hash is made anew and must be the same, before it is altered.
//
// # Files
//
//	kinds.go   what can go wrong, and how it is to be named
//	inject.go  Config, Inject: which events are taken
//	alter.go   one fault
//	row.go     an event as a row, and back
//	check.go   Manifest, Check
package faults
