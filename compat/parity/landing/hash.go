package landing

import (
	"bytes"

	"github.com/cespare/xxhash/v2"

	"github.com/bkledger/bk/compat/bank"
)

// Values that each system has of its own: what stands before them in the canonical text. Behind booked_at comes no text that a client gave, so the last place is the right one; event_id
// begins the text, and no text stands between it and at.
var (
	beforeEventID  = []byte(`{"event_id":`)
	beforeAt       = []byte(`,"at":`)
	beforeBookedAt = []byte(`,"booked_at":`)
	beforeCanceled = []byte(`,"canceled_at":`)
)

// ContentHash gives the hash of an event's content, XXH64 of its canonical text (what [bank.Event.AppendJSON] gives) without the values of event_id, at, booked_at and
// canceled_at: events with the same content have the same.
func ContentHash(canonical []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	rest := canonical
	rest = leaveOut(&d, rest, 0, beforeEventID)
	rest = leaveOut(&d, rest, bytes.Index(rest, beforeAt), beforeAt)
	if at := bytes.LastIndex(rest, beforeBookedAt); at >= 0 {
		rest = leaveOut(&d, rest, at, beforeBookedAt)
		rest = leaveOut(&d, rest, 0, beforeCanceled)
	}
	_, _ = d.Write(rest) // it never fails
	return d.Sum64()
}

// leaveOut writes text up to a value and gives what is behind the value. The value is a number or null.
func leaveOut(d *xxhash.Digest, text []byte, at int, before []byte) []byte {
	at += len(before)
	_, _ = d.Write(text[:at])
	for at < len(text) && text[at] != ',' && text[at] != '}' {
		at++
	}
	return text[at:]
}

// hashOf is ContentHash of an event that has no text yet. The buffer is used for one, and returned.
func hashOf(e *bank.Event, buffer []byte) (uint64, []byte) {
	buffer = e.AppendJSON(buffer[:0])
	return ContentHash(buffer), buffer
}

// hashWithout is ContentHash of a canonical text, of which it is known where the values stand.
func hashWithout(canonical []byte, own []bank.Span) uint64 {
	var d xxhash.Digest
	d.Reset()
	from := 0
	for _, value := range own {
		_, _ = d.Write(canonical[from:value.From])
		from = value.To
	}
	_, _ = d.Write(canonical[from:])
	return d.Sum64()
}
