package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// days follow the business date: what each day must bring, and what is in force.
type days struct {
	date   ledger.Date // the business date, 0 before the first roll
	to     ledger.Date // the last day of its roll
	street bool
	ended  bool

	due     []step // what the day under way must still bring, in order
	opened  int64  // that it brings
	settled int64

	inForce map[balanceKey]balance                 // by postings effective up to the business date
	later   map[ledger.Date]map[balanceKey]balance // by all others

	epoch                            int64 // in which the roll began
	rolls, count, opens, settlements int
	rows                             int // of all cuts
	bring                            int // what the roll has brought so far: trades opened and settled
	resumed, resumedMost             int // rolls that another term went on with, and the most that one of them brought

	told    map[ledger.Date]*bkv1.RolledDay // what the roller knows
	reached ledger.Date
}

// step is what a roll does to a trade.
type step struct {
	kind  ledger.Kind
	trade ledger.ID
}

func newDays() days {
	return days{inForce: map[balanceKey]balance{}, later: map[ledger.Date]map[balanceKey]balance{}}
}

// rolling reports whether a roll is under way, between two of its days, too.
func (d *days) rolling() bool { return d.date != 0 && !(d.ended && d.date == d.to) }

// isDue reports whether an entry books a trade that is to settle at once.
func (d *days) isDue(e *ledger.Entry) bool {
	return d.date != 0 && e.Kind.IsTrade() && e.TradeDate <= d.date && e.SettleDate <= d.date
}

// post adds a posting to what is in force on its day.
func (d *days) post(effective ledger.Date, p ledger.Posting) {
	at := d.inForce
	if effective > d.date {
		if at = d.later[effective]; at == nil {
			at = map[balanceKey]balance{}
			d.later[effective] = at
		}
	}
	key := balanceKey{p.Account, p.Instrument}
	at[key] = at[key].with(p)
}

// onDay checks an entry of a roll: days follow each other, each brings what is due, in order, and nothing else is in between.
func (j *journalCheck) onDay(e *ledger.Entry) {
	d := &j.days
	switch {
	case e.Kind == ledger.KindDayBegin:
		j.dayBegins(e)
	case e.Kind == ledger.KindDayEnd:
		j.dayEnds(e)
	case e.Key != "" || e.Kind != ledger.KindTradeOpen && e.Kind != ledger.KindSettle:
		j.breach("entry %d, a %s, lies within the roll to %s", e.ID.Seq(), e.Kind, d.to)
	case d.ended || len(d.due) == 0:
		j.breach("entry %d, a %s of trade %d, comes although nothing more is due on %s", e.ID.Seq(), e.Kind, e.Links.Trade, d.date)
	default:
		if got := (step{e.Kind, e.Links.Trade}); got != d.due[0] {
			j.breach("entry %d is a %s of trade %d, due on %s is a %s of trade %d", e.ID.Seq(), got.kind, got.trade, d.date, d.due[0].kind, d.due[0].trade)
		}
		d.due = d.due[1:]
	}
}

func (j *journalCheck) dayBegins(e *ledger.Entry) {
	d, day := &j.days, e.Day
	if d.date != 0 && day.Date.Time().Sub(d.date.Time()) != 24*time.Hour || d.date != 0 && !d.ended {
		j.breach("entry %d begins %s, behind %s, ended %v", e.ID.Seq(), day.Date, d.date, d.ended)
	}
	if d.rolling() {
		if day.To != d.to || day.Street != d.street {
			j.breach("entry %d begins %s of a roll to %s (street: %v), under way is one to %s (street: %v)", e.ID.Seq(), day.Date, day.To, day.Street, d.to, d.street)
		}
	} else {
		d.rolls, d.epoch, d.bring = d.rolls+1, e.Epoch, 0
	}
	if day.To < day.Date || e.EffectiveDate != day.Date {
		j.breach("entry %d begins %s of a roll to %s, effective %s", e.ID.Seq(), day.Date, day.To, e.EffectiveDate)
	}
	d.date, d.to, d.street, d.ended = day.Date, day.To, day.Street, false
	for date, changes := range d.later {
		if date > d.date {
			continue
		}
		for key, b := range changes {
			at := d.inForce[key]
			d.inForce[key] = balance{at.unsettled.Add(b.unsettled), at.settled.Add(b.settled)}
		}
		delete(d.later, date)
	}
	j.makeDue()
}

// makeDue works out what the day must bring: first all new trades up to its date open, then all open trades settle that are due, by their ids.
func (j *journalCheck) makeDue() {
	d := &j.days
	var opens, settlements []step
	for id, t := range j.trades {
		isNew := t.state == ledger.TradeNew && t.date <= d.date
		if isNew {
			opens = append(opens, step{ledger.KindTradeOpen, id})
		}
		if (isNew || t.state == ledger.TradeOpen) && t.settle <= d.date {
			settlements = append(settlements, step{ledger.KindSettle, id})
		}
	}
	byID := func(a, b step) int { return cmp.Compare(a.trade, b.trade) }
	slices.SortFunc(opens, byID)
	slices.SortFunc(settlements, byID)
	d.opened, d.settled = int64(len(opens)), int64(len(settlements))
	d.due = append(opens, settlements...)
}

func (j *journalCheck) dayEnds(e *ledger.Entry) {
	d, day := &j.days, e.Day
	if day.Date != d.date || d.ended || day.To != d.to || day.Street != d.street || e.EffectiveDate != day.Date {
		j.breach("entry %d ends %s of a roll to %s, under way is %s of one to %s", e.ID.Seq(), day.Date, day.To, d.date, d.to)
	}
	if len(d.due) != 0 {
		j.breach("entry %d ends %s, and %d trades that are due have not opened or settled, trade %d first", e.ID.Seq(), d.date, len(d.due), d.due[0].trade)
	}
	if day.Opened != d.opened || day.Settled != d.settled {
		j.breach("entry %d ends %s with %d trades opened and %d settled, due were %d and %d", e.ID.Seq(), d.date, day.Opened, day.Settled, d.opened, d.settled)
	}
	rows, hash := d.cut()
	if day.CutRows != rows || day.CutHash != hash {
		j.breach("entry %d ends %s with a cut of %d rows, %x; the postings come to %d rows, %x", e.ID.Seq(), d.date, day.CutRows, day.CutHash, rows, hash)
	}
	if told := d.told[d.date]; told != nil {
		if told.Opened != day.Opened || told.Settled != day.Settled || told.CutRows != rows || told.CutHash != fmt.Sprintf("%x", hash) ||
			told.Token != (ledger.Token{Shard: shard, Seq: e.ID.Seq()}).String() {
			j.breach("entry %d ends %s with %d opened and %d settled, a cut of %d rows, %x; the roller was told %v", e.ID.Seq(), d.date, day.Opened, day.Settled, rows, hash, told)
		}
		delete(d.told, d.date)
	}
	d.ended, d.due = true, nil
	d.count, d.opens, d.settlements, d.rows = d.count+1, d.opens+int(d.opened), d.settlements+int(d.settled), d.rows+int(rows)
	d.bring += int(d.opened + d.settled)
	if d.date == d.to && e.Epoch != d.epoch {
		d.resumed, d.resumedMost = d.resumed+1, max(d.resumedMost, d.bring)
	}
}

// cut is the text form of a cut, hashed: all holdings that are in force and not zero.
func (d *days) cut() (rows int64, hash [32]byte) {
	var keys []balanceKey
	for key, b := range d.inForce {
		if !b.unsettled.IsZero() || !b.settled.IsZero() {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b balanceKey) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.instrument, b.instrument))
	})
	text := fmt.Appendf(nil, "bk cut v1 %d\n", d.date)
	for _, key := range keys {
		b := d.inForce[key]
		text = fmt.Appendf(text, "%d:%d:%s:%s\n", key.account, key.instrument, b.unsettled, b.settled)
	}
	return int64(len(keys)), sha256.Sum256(text)
}

func (j *journalCheck) concludeDays() {
	d := &j.days
	if d.rolling() {
		j.breach("the roll to %s is not finished: the journal ends on %s", d.to, d.date)
	}
	if d.date != d.reached {
		j.breach("the journal ends on %s, the roller was told that %s is reached", d.date, d.reached)
	}
	for date := range d.told {
		j.breach("the roller was told that %s had ended, the journal has no such day", date)
	}
	j.checked("days: %d in %d rolls, one after the other up to %s; %d trades opened and %d settled, all that were due and in order, with nothing in between",
		d.count, d.rolls, d.date, d.opens, d.settlements)
	j.checked("days: each cut's rows and hash follow from the journal's postings; %d rows together", d.rows)
}
