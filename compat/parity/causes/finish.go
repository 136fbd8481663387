package causes

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/bkledger/bk/compat/bank"
)

// Reject is a record that could not be read.
type Reject struct {
	Side       Side
	Place      Place
	Key, Value []byte
	Reason     string
}

// Reject takes a record that could not be read; an event that is missing may be it.
func (n *Namer) Reject(r Reject) { n.rejects = append(n.rejects, r) }

// Finish emits what was held.
func (n *Namer) Finish() {
	n.unreadable()
	n.wrongAccounts()
	n.swapped()
	for _, r := range n.open {
		if r.cause.into == nil {
			n.cfg.Emit(r.cause)
		}
	}
	n.open, n.wrongIDs, n.rejects = nil, nil, nil
}

// unreadable finds what is missing among the records that could not be read: of the account that the record's key names, its id in the text, or else the only one.
func (n *Namer) unreadable() {
	lacking := map[Side]map[int64][]*row{Bank: {}, BK: {}}
	for _, r := range n.open {
		if r.cause.Kind == Missing || r.cause.Kind == Extra { // whoever is to blame: the other side has it not
			s := r.side.other()
			lacking[s][r.Account] = append(lacking[s][r.Account], r)
		}
	}
	for _, reject := range n.rejects {
		account, _ := strconv.ParseInt(string(reject.Key), 10, 64)
		found := pick(lacking[reject.Side][account], reject)
		f := &Finding{Kind: Unreadable, Account: account}
		if found != nil {
			f = found.cause
			f.Kind = Unreadable
			found.marked = true
		}
		place := reject.Place
		if reject.Side == Bank {
			f.Bank = &place
		} else {
			f.BK = &place
		}
		f.Side, f.Note, f.held = reject.Side.String(), reject.Reason, false
		n.cfg.Emit(f)
	}
	n.open = slices.DeleteFunc(n.open, func(r *row) bool { return r.cause.Kind == Unreadable })
}

func pick(rows []*row, reject Reject) *row {
	var only *row
	for _, r := range rows {
		if r.marked || r.cause.Kind == Unreadable || r.Cash != (kindOfTopic(reject.Place.Topic) == bank.TopicCash) {
			continue
		}
		id, event := []byte(`"trade_id":"`+strconv.FormatInt(r.Number, 10)+`"`), []byte(`"`+r.Kind+`"`)
		if r.Cash {
			id = []byte(`"cash_id":"` + strconv.FormatInt(r.Number, 10) + `"`)
		}
		if bytes.Contains(reject.Value, id) && bytes.Contains(reject.Value, event) {
			return r
		}
		if only != nil {
			return nil
		}
		only = r
	}
	return only
}

// kindOfTopic gives Bank's topic that a topic stands for: bank.cash for facade.bank.cash and legacy.bank.cash.
func kindOfTopic(topic string) string {
	for _, of := range [...]string{bank.TopicCash, bank.TopicBusinessDate} {
		if len(topic) >= len(of) && topic[len(topic)-len(of):] == of {
			return of
		}
	}
	return bank.TopicTrades
}

// wrongAccounts joins what is missing in one account and extra in another.
func (n *Namer) wrongAccounts() {
	byKey := map[key][]*row{}
	for _, r := range n.open {
		if r.side == BK {
			byKey[r.key()] = append(byKey[r.key()], r)
		}
	}
	for _, l := range n.open {
		if l.side != Bank || l.cause.into != nil {
			continue
		}
		for _, r := range byKey[l.key()] {
			if r.Account == l.Account || r.cause.into != nil || r.cause.Kind == WrongAccount || r.Client != l.Client {
				continue
			}
			f := l.cause
			f.merge(r.cause)
			f.Kind, f.Side, f.With = WrongAccount, BK.String(), &Other{r.Account, r.Number, r.Kind}
			f.BankValue, f.BKValue = strconv.FormatInt(l.Account, 10), strconv.FormatInt(r.Account, 10)
			break
		}
	}
}

// swapped joins two wrong ids of which each is the other's.
func (n *Namer) swapped() {
	type ids struct {
		cash   bool
		is, to string
	}
	waiting := map[ids]*Finding{}
	for _, f := range n.wrongIDs {
		if g := waiting[ids{f.Cash, f.BKValue, f.BankValue}]; g != nil && g.into == nil {
			g.merge(f)
			g.Kind, g.With = SwappedIDs, &Other{f.Account, f.Number, f.Event}
			delete(waiting, ids{f.Cash, f.BKValue, f.BankValue})
			continue
		}
		waiting[ids{f.Cash, f.BankValue, f.BKValue}] = f
	}
	for _, f := range n.wrongIDs {
		if f.into == nil {
			n.cfg.Emit(f)
		}
	}
}
