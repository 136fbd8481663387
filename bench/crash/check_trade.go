package main

import (
	"cmp"
	"slices"

	"github.com/bkledger/bk/ledger"
)

// trade is one on its way through its life, as the entries about it say.
type trade struct {
	state        ledger.TradeState
	date, settle ledger.Date
	effective    ledger.Date
	parties      [2]int64
	root         ledger.ID // the first of its chain of corrections, 0 if it corrects nothing
	force        act       // what brought it into force; the booking if nothing has
	settlements  []act     // that are not reversed
	settledOnce  bool
	postings     []ledger.Posting // all that it made; none once it is cancelled
}

// act is an entry of a trade's life that another may undo.
type act struct {
	entry     ledger.ID
	effective ledger.Date
	from, to  int  // its postings among the trade's
	settles   bool // with the trade's parties
}

// live checks that an entry about a trade follows from those before it: new, open, settled, and from each of them cancelled; each step
// once, and undone by the exact negation.
func (j *journalCheck) live(e *ledger.Entry) {
	if e.Kind.IsTrade() {
		j.booked(e)
		return
	}
	if e.Links.Trade == 0 {
		return
	}
	t := j.trades[e.Links.Trade]
	if t == nil {
		j.breach("entry %d, a %s, is about trade %d, which is not booked before", e.ID.Seq(), e.Kind, e.Links.Trade)
		return
	}
	if e.TradeDate != t.date || e.SettleDate != t.settle || e.Links.Root != t.root {
		j.breach("entry %d has the dates %s and %s, its trade %d those of %s and %s", e.ID.Seq(), e.TradeDate, e.SettleDate, e.Links.Trade, t.date, t.settle)
	}
	if e.Kind == ledger.KindLink {
		j.linked(t, e)
		return
	}
	if t.state == ledger.TradeCanceled {
		j.breach("entry %d, a %s, is about trade %d, which was cancelled before", e.ID.Seq(), e.Kind, e.Links.Trade)
		return
	}
	made := act{entry: e.ID, effective: e.EffectiveDate, from: len(t.postings), to: len(t.postings) + len(e.Postings)}
	t.postings = append(t.postings, e.Postings...)
	switch e.Kind {
	case ledger.KindTradeOpen:
		j.opened(t, made, e)
	case ledger.KindSettle:
		j.settled(t, made, e)
	case ledger.KindSettleStreet:
		j.settledStreet(t, made, e)
	case ledger.KindReverse:
		j.reversed(t, made, e)
	case ledger.KindCancel:
		j.canceled(t, made, e)
	default:
		j.breach("entry %d, a %s, is about trade %d", e.ID.Seq(), e.Kind, e.Links.Trade)
	}
	if e.State != t.state {
		j.breach("entry %d says that trade %d is %s, it is %s", e.ID.Seq(), e.Links.Trade, e.State, t.state)
	}
}

func (j *journalCheck) booked(e *ledger.Entry) {
	t := &trade{
		state: ledger.TradeOpen, date: e.TradeDate, settle: e.SettleDate, effective: e.EffectiveDate, root: e.Links.Root,
		parties: [2]int64{e.Trade.Account.ID, e.Trade.Target.ID}, force: act{entry: e.ID, effective: e.EffectiveDate, to: len(e.Postings)},
		postings: slices.Clone(e.Postings),
	}
	if j.days.date != 0 && t.date > j.days.date {
		t.state = ledger.TradeNew
	}
	if e.Links.Trade != e.ID || j.trades[e.ID] != nil {
		j.breach("entry %d books trade %d", e.ID.Seq(), e.Links.Trade)
	}
	if e.State != t.state || (len(e.Postings) == 0) != (t.state == ledger.TradeNew) {
		j.breach("entry %d books trade %s of %s with %d postings, on the business date %s", e.ID.Seq(), e.State, t.date, len(e.Postings), j.days.date)
	}
	if e.Links.Corrects != 0 {
		j.corrects(t, e)
	} else if t.root != 0 {
		j.breach("entry %d stands in place of trade %d, and corrects nothing", e.ID.Seq(), t.root)
	}
	j.trades[e.ID] = t
	if j.days.isDue(e) {
		j.count.late++
	}
}

// corrects checks what a correction has of the trade that it corrects.
func (j *journalCheck) corrects(t *trade, e *ledger.Entry) {
	j.count.corrected++
	old := j.trades[e.Links.Corrects]
	if old == nil || old.state != ledger.TradeCanceled {
		j.breach("entry %d corrects trade %d, which is not cancelled", e.ID.Seq(), e.Links.Corrects)
		return
	}
	if old.settledOnce {
		j.count.correctedSettled++
	}
	if root := cmp.Or(old.root, e.Links.Corrects); t.root != root {
		j.breach("entry %d, which corrects trade %d, stands in place of trade %d, not of %d", e.ID.Seq(), e.Links.Corrects, t.root, root)
	}
}

func (j *journalCheck) opened(t *trade, made act, e *ledger.Entry) {
	if t.state != ledger.TradeNew || len(e.Postings) == 0 || e.EffectiveDate != t.date {
		j.breach("entry %d opens trade %d of %s, which is %s, with %d postings effective %s", e.ID.Seq(), e.Links.Trade, t.date, t.state, len(e.Postings), e.EffectiveDate)
	}
	t.state, t.force = ledger.TradeOpen, made
}

// settled: what the parties have of the trade is settled, all of it, and no more or less than before; the street side, too, if the day says so.
func (j *journalCheck) settled(t *trade, made act, e *ledger.Entry) {
	if t.state != ledger.TradeOpen || e.EffectiveDate != max(t.settle, t.effective) {
		j.breach("entry %d settles trade %d of %s, which is %s, effective %s", e.ID.Seq(), e.Links.Trade, t.settle, t.state, e.EffectiveDate)
	}
	for _, p := range sum(t.postings) {
		if p.Bucket == ledger.Unsettled && (t.isParty(p.Account) || j.days.street) {
			j.breach("entry %d settles trade %d, and leaves %s of instrument %d unsettled on account %d", e.ID.Seq(), e.Links.Trade, p.Quantity, p.Instrument, p.Account)
		}
	}
	j.moves(t, e)
	t.state, t.settledOnce = ledger.TradeSettled, true
	made.settles = true
	t.settlements = append(t.settlements, made)
}

func (j *journalCheck) settledStreet(t *trade, made act, e *ledger.Entry) {
	if t.state == ledger.TradeNew || len(e.Postings) == 0 || e.Key == "" {
		j.breach("entry %d settles the street side of trade %d, which is %s, with %d postings", e.ID.Seq(), e.Links.Trade, t.state, len(e.Postings))
	}
	for _, p := range sum(t.postings) {
		if p.Bucket == ledger.Unsettled && !t.isParty(p.Account) {
			j.breach("entry %d settles the street side of trade %d, and leaves %s of instrument %d on account %d", e.ID.Seq(), e.Links.Trade, p.Quantity, p.Instrument, p.Account)
		}
		if t.isParty(p.Account) && slices.ContainsFunc(e.Postings, func(q ledger.Posting) bool { return q.Account == p.Account }) {
			j.breach("entry %d settles the street side of trade %d, and posts to its party %d", e.ID.Seq(), e.Links.Trade, p.Account)
		}
	}
	t.settlements = append(t.settlements, made)
}

// moves checks that a settlement leaves each party with what it had, both buckets together, and that without the street side it is theirs alone.
func (j *journalCheck) moves(t *trade, e *ledger.Entry) {
	totals := map[balanceKey]ledger.Amount{}
	for _, p := range e.Postings {
		if t.isParty(p.Account) {
			key := balanceKey{p.Account, p.Instrument}
			totals[key] = totals[key].Add(p.Quantity)
		} else if !j.days.street {
			j.breach("entry %d settles trade %d without its street side, and posts to account %d", e.ID.Seq(), e.Links.Trade, p.Account)
		}
	}
	for key, total := range totals {
		if !total.IsZero() {
			j.breach("entry %d settles trade %d, and gives account %d another %s of instrument %d", e.ID.Seq(), e.Links.Trade, key.account, total, key.instrument)
		}
	}
}

// reversed undoes the latest settlement; the cancel follows (see group).
func (j *journalCheck) reversed(t *trade, made act, e *ledger.Entry) {
	t.state = ledger.TradeOpen
	if len(t.settlements) == 0 {
		j.breach("entry %d reverses entry %d of trade %d, which has no settlement to reverse", e.ID.Seq(), e.Links.Reverses, e.Links.Trade)
		return
	}
	last := t.settlements[len(t.settlements)-1]
	t.settlements = t.settlements[:len(t.settlements)-1]
	if slices.ContainsFunc(t.settlements, func(left act) bool { return left.settles }) {
		t.state = ledger.TradeSettled // with its parties; the street's side is undone
	}
	j.undoes(t, last, made, e)
}

func (j *journalCheck) canceled(t *trade, made act, e *ledger.Entry) {
	j.count.canceled++
	if len(t.settlements) != 0 {
		j.breach("entry %d cancels trade %d, whose settlement %d is not reversed", e.ID.Seq(), e.Links.Trade, t.settlements[0].entry)
	}
	j.undoes(t, t.force, made, e)
	for _, p := range sum(t.postings) {
		j.breach("entry %d cancels trade %d, which leaves %s of instrument %d on account %d (%c)", e.ID.Seq(), e.Links.Trade, p.Quantity, p.Instrument, p.Account, p.Bucket)
	}
	t.state, t.postings, t.settlements = ledger.TradeCanceled, nil, nil
}

// linked: another trade is booked in place of one that is cancelled already; it comes next (see group).
func (j *journalCheck) linked(t *trade, e *ledger.Entry) {
	j.count.linked++
	if t.state != ledger.TradeCanceled || e.State != t.state || len(e.Postings) != 0 || e.EffectiveDate != t.effective || e.Links.ReplacedBy != e.ID+1 {
		j.breach("entry %d of %s links trade %d, which is %s, to trade %d with %d postings, and says that it is %s",
			e.ID.Seq(), e.EffectiveDate, e.Links.Trade, t.state, e.Links.ReplacedBy, len(e.Postings), e.State)
	}
}

// undoes checks that an entry is the exact negation of another one, and counts on the same day.
func (j *journalCheck) undoes(t *trade, was, made act, e *ledger.Entry) {
	if e.Links.Reverses != was.entry || e.EffectiveDate != was.effective {
		j.breach("entry %d of %s reverses entry %d, entry %d of %s is the one to reverse", e.ID.Seq(), e.EffectiveDate, e.Links.Reverses, was.entry, was.effective)
	}
	negated := slices.EqualFunc(t.postings[was.from:was.to], t.postings[made.from:made.to], func(a, b ledger.Posting) bool {
		return a.Account == b.Account && a.Instrument == b.Instrument && a.Bucket == b.Bucket && a.Quantity.Add(b.Quantity).IsZero()
	})
	if !negated {
		j.breach("entry %d is not the negation of entry %d", e.ID.Seq(), was.entry)
	}
}

func (t *trade) isParty(account int64) bool {
	return account != 0 && slices.Contains(t.parties[:], account)
}

// sum gives what postings come to on each account, instrument and bucket, without zeros.
func sum(postings []ledger.Posting) []ledger.Posting {
	var sums []ledger.Posting
	for _, p := range postings {
		i := slices.IndexFunc(sums, func(q ledger.Posting) bool {
			return q.Account == p.Account && q.Instrument == p.Instrument && q.Bucket == p.Bucket
		})
		if i < 0 {
			sums = append(sums, p)
		} else {
			sums[i].Quantity = sums[i].Quantity.Add(p.Quantity)
		}
	}
	return slices.DeleteFunc(sums, func(p ledger.Posting) bool { return p.Quantity.IsZero() })
}

func (j *journalCheck) concludeTrades() {
	states := map[ledger.TradeState]int{}
	for _, t := range j.trades {
		states[t.state]++
	}
	j.checked("trades: %d, each step of their lives once and in order: %d new, %d open, %d settled, %d cancelled with nothing left of them",
		len(j.trades), states[ledger.TradeNew], states[ledger.TradeOpen], states[ledger.TradeSettled], states[ledger.TradeCanceled])
	j.checked("trades: %d corrections, %d of them of settled trades, %d of cancelled ones; %d were booked late and settled at once",
		j.count.corrected, j.count.correctedSettled, j.count.linked, j.count.late)
}
