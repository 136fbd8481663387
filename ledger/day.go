package ledger

// The kinds of entry that take the business date forward, one pair for each day of a roll.
const (
	KindDayBegin Kind = "day.begin" // the business date is the day from here on; what opens and settles on it follows
	KindDayEnd   Kind = "day.end"   // all that was due has opened and settled; the day's cut is frozen
)

// Day is what the entries that begin and end a day say about it.
type Day struct {
	Date   Date // the business date
	To     Date // the last day of the roll that it is a part of
	Street bool // settlements include the street side

	// Of the end of a day: how many trades opened and settled, and the cut, which is all holdings of entries effective up to the date,
	// known when the day ended: how many rows, and their hash (see package daily).
	Opened, Settled int64
	CutRows         int64
	CutHash         [32]byte
}

// BusinessDay is where the ledger stands between days: what its last day entry says. Zero before the first roll.
type BusinessDay struct {
	Day
	Seq   uint64 // the day entry's place in the journal
	Ended bool   // the day's end is in the journal
}

// Rolling reports whether a roll is under way: bookings wait until it is over.
func (b BusinessDay) Rolling() bool { return b.Date != 0 && !(b.Ended && b.Date == b.To) }

// After gives the state after an entry.
func (b BusinessDay) After(e *Entry) BusinessDay {
	if e.Day == nil {
		return b
	}
	return BusinessDay{Day: *e.Day, Seq: e.ID.Seq(), Ended: e.Kind == KindDayEnd}
}

// Allows rejects a day entry that does not follow: days begin one after the other, and each ends before the next begins; only the first
// one ever may be any day.
func (b BusinessDay) Allows(e *Entry) *Rejection {
	switch {
	case e.Kind == KindDayEnd && (b.Date != e.Day.Date || b.Ended):
		return Reject(ReasonDayPassed, "day.date", "%s is not the day that is under way", e.Day.Date)
	case e.Kind == KindDayBegin && b.Date != 0 && (!b.Ended || e.Day.Date != b.Date.Next()):
		return Reject(ReasonDayPassed, "day.date", "%s does not follow the business date %s", e.Day.Date, b.Date)
	}
	return nil
}

// dayRules make the entries of a roll; the ledger books them itself.
func dayRules() []Rule {
	post := func(c *Command, e *Entry, d *Desk) *Rejection {
		day := *c.Day
		e.Day, e.EffectiveDate = &day, day.Date
		return needLocations(c, e, d) // from here on a trade that is booked late settles at once
	}
	return []Rule{{Kind: KindDayBegin, Post: post}, {Kind: KindDayEnd, Post: post}}
}
