package swap

import (
	"math/rand/v2"
	"slices"

	"github.com/bkledger/bk/compat/bank"
)

// The kinds of what a client does.
const (
	doBook     = "book"
	doCancel   = "cancel"
	doConflict = "other content" // under a name that is taken
	doStranger = "unknown account"
	doRead     = "read the own trade"
)

// step is one call of a client, with the answer that it must get.
type step struct {
	what   string
	trades []*bank.Trade // to book
	name   name          // to cancel or to read
	dead   bool          // the trade to read is cancelled
	want   bank.Type     // of the error; "": accepted
}

// weight is how many trades the call brings to the other system.
func (s *step) weight() int { return max(1, len(s.trades)) }

// sizes of calls, each as likely as it stands here.
var sizes = []int{1, 1, 1, 1, 1, 2, 2, 3, 5, 8, 20, 50, 100}

// How often what is none of the tape comes, one in so many calls.
const (
	oftenRead     = 8
	oftenConflict = 25
	oftenStranger = 25
	oftenAgain    = 4 // a cancel that is made twice, one in so many cancels
)

// A client's part of the day as it is planned.
type plan struct {
	dice    *rand.Rand
	steps   []step
	open    []*bank.Trade // of the next call
	size    int
	live    map[name]bool // false: cancelled
	cancels map[name]bool // that are still to be made
	due     []name        // cancels whose trades were booked
}

// plans shares the day out among clients, by account. What is drawn depends on the seed only.
func (d *Day) plans(clients int, seed uint64) [][]step {
	all := make([]*plan, clients)
	for i := range all {
		all[i] = &plan{dice: rand.New(rand.NewPCG(seed, uint64(i))), live: map[name]bool{}, cancels: map[name]bool{}, size: 1}
	}
	owner := d.owners(clients)
	for _, c := range d.Cancels {
		all[owner[c.AccountID]].cancels[name{c.AccountID, c.ClientTradeID}] = true
	}
	for i := range d.Trades {
		t := &d.Trades[i]
		all[owner[t.AccountID]].row(t)
	}
	var steps [][]step
	for _, p := range all {
		p.end()
		steps = append(steps, p.steps)
	}
	return steps
}

// owners gives each account a client, so that all have about as many rows.
func (d *Day) owners(clients int) map[bank.ID]int {
	rows := map[bank.ID]int{}
	for i := range d.Trades {
		rows[d.Trades[i].AccountID]++
	}
	accounts := d.Accounts()
	slices.SortStableFunc(accounts, func(a, b bank.ID) int { return rows[b] - rows[a] })
	owner, load := map[bank.ID]int{}, make([]int, clients)
	for _, a := range accounts {
		least := 0
		for i := range load {
			if load[i] < load[least] {
				least = i
			}
		}
		owner[a] = least
		load[least] += rows[a]
	}
	return owner
}

// row takes the next row of the tape.
func (p *plan) row(t *bank.Trade) {
	n := nameOf(t)
	if _, known := p.live[n]; !known {
		p.live[n] = true
		if t.CancelTradeID != "" {
			p.live[name{t.AccountID, t.CancelTradeID}] = false
		}
		if p.cancels[n] {
			delete(p.cancels, n)
			p.due = append(p.due, n)
		}
	}
	p.open = append(p.open, t)
	if len(p.open) >= p.size {
		p.send()
	}
}

// send ends the call, and draws what comes behind it and how large the next one is.
func (p *plan) send() {
	if len(p.open) == 0 {
		return
	}
	last := p.open[len(p.open)-1]
	p.steps = append(p.steps, step{what: doBook, trades: p.open})
	p.open, p.size = nil, sizes[p.dice.IntN(len(sizes))]
	// Half of the cancels are made while the day goes on, some calls later, the others at its end.
	for len(p.due) > 0 && p.dice.IntN(20) == 0 {
		i := p.dice.IntN(len(p.due))
		n := p.due[i]
		p.due = slices.Delete(p.due, i, i+1)
		p.cancel(n)
	}
	if p.dice.IntN(oftenRead) == 0 {
		p.steps = append(p.steps, step{what: doRead, name: nameOf(last), dead: !p.live[nameOf(last)]})
	}
	if p.dice.IntN(oftenConflict) == 0 {
		other := *last
		other.OrderID += "x"
		p.steps = append(p.steps, step{what: doConflict, trades: []*bank.Trade{&other}, want: bank.ClientIDConflict})
	}
	if p.dice.IntN(oftenStranger) == 0 {
		other := *last
		other.ClientTradeID += "-stranger"
		other.AccountID, other.CancelTradeID = stranger, ""
		p.steps = append(p.steps, step{what: doStranger, trades: []*bank.Trade{&other}, want: bank.UnknownAccount})
	}
}

// stranger is an account that nobody has opened.
const stranger = 999_999_999

func (p *plan) cancel(n name) {
	s := step{what: doCancel, name: n}
	if !p.live[n] {
		s.want = bank.TradeAlreadyCanceled
	}
	p.live[n] = false
	p.steps = append(p.steps, s)
	if p.dice.IntN(oftenAgain) == 0 {
		p.steps = append(p.steps, step{what: doCancel, name: n, want: bank.TradeAlreadyCanceled}, step{what: doRead, name: n, dead: true})
	}
}

func (p *plan) end() {
	p.send()
	for _, n := range p.due {
		p.cancel(n)
	}
}
