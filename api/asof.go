package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// moment is what a read is as of: the books by an effective date, as known at a place in the journal. Zero is no bound.
type moment struct {
	asOf  ledger.Date
	known uint64
}

// moment reads as_of and known_at. pinned is what known_at came to on the first page of a walk, 0 on that.
func (s *Server) moment(ctx context.Context, asOf int32, knownAt string, pinned uint64) (moment, error) {
	m := moment{asOf: ledger.Date(asOf), known: pinned}
	if rej := realDay("as_of", m.asOf); rej != nil {
		return m, rej
	}
	if knownAt == "" || pinned != 0 {
		return m, nil
	}
	if strings.ContainsAny(knownAt, "Tt-") {
		at, err := time.Parse(time.RFC3339, knownAt)
		if err != nil {
			return m, ledger.Reject(ledger.ReasonInvalid, "known_at", "%q is neither a token (0:4711) nor a time (2013-10-16T17:30:00Z)", knownAt)
		}
		m.known, err = s.cfg.Journal.SeqAt(ctx, at)
		m.known = max(m.known, 1)
		return m, err
	}
	seq, err := s.reachOf(ctx, "known_at", knownAt)
	if behind := (*projections.BehindError)(nil); errors.As(err, &behind) {
		return m, ledger.Reject(ledger.ReasonInvalid, "known_at", "%q is beyond the journal's head %d", knownAt, behind.Have)
	}
	// Nothing is known before the first entry, nor after it: it posts nothing, as no account was open before. So 1 can stand for 0,
	// which the projections take for no bound.
	m.known = max(seq, 1)
	return m, err
}

// given reports whether the read is bounded at all.
func (m moment) given() bool { return m != moment{} }

// knew gives what was known of a trade: nothing if it was not booked by then.
func (m moment) knew(life ledger.Life) ledger.Life {
	if m.known == 0 {
		return life
	}
	n := 0
	for n < len(life) && life[n].ID.Seq() <= m.known {
		n++
	}
	return life[:n]
}

// realDay refuses a date that is no day; 0 is none.
func realDay(field string, d ledger.Date) *ledger.Rejection {
	if d != 0 && !d.Valid() {
		return ledger.Reject(ledger.ReasonInvalid, field, "%d is no day between %d and %d", int32(d), int32(ledger.MinDate), int32(ledger.MaxDate))
	}
	return nil
}
