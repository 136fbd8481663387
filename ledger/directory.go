package ledger

import (
	"slices"
	"sync"
)

// Directory is the fold of all definitions: the accounts and instruments of the ledger, in memory. It is safe for concurrent use.
type Directory struct {
	mu          sync.RWMutex
	accounts    map[int64]Account
	codes       map[string]int64
	accountIDs  []int64 // ascending, if sorted
	sorted      bool
	nextAccount int64
	instruments []Instrument // by id - 1
	identifiers map[Identifier]int64
	held        held
}

// NewDirectory makes an empty directory.
func NewDirectory() *Directory {
	return &Directory{
		accounts: map[int64]Account{}, codes: map[string]int64{}, identifiers: map[Identifier]int64{}, nextAccount: firstHouseAccount,
	}
}

// Account finds an account by id or code; where both are given they must agree.
func (d *Directory) Account(ref AccountRef) (Account, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	id := ref.ID
	if id == 0 {
		id = d.codes[ref.Code]
	}
	a, ok := d.accounts[id]
	return a, ok && (ref.Code == "" || ref.Code == a.Code)
}

// Instrument finds an instrument by one of its identifiers.
func (d *Directory) Instrument(id Identifier) (Instrument, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, ok := d.identifiers[id.key()]
	if !ok {
		return Instrument{}, false
	}
	return d.instruments[n-1], true
}

// InstrumentByID finds an instrument by the ledger's number.
func (d *Directory) InstrumentByID(id int64) (Instrument, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if id < 1 || id > int64(len(d.instruments)) {
		return Instrument{}, false
	}
	return d.instruments[id-1], true
}

// Accounts gives up to limit accounts with ids above after, by id.
func (d *Directory) Accounts(after int64, limit int) []Account {
	d.mu.Lock() // it may have to sort
	defer d.mu.Unlock()
	if !d.sorted {
		slices.Sort(d.accountIDs)
		d.sorted = true
	}
	i, found := slices.BinarySearch(d.accountIDs, after)
	if found {
		i++
	}
	ids := d.accountIDs[i:min(len(d.accountIDs), i+limit)]
	out := make([]Account, len(ids))
	for j, id := range ids {
		out[j] = d.accounts[id]
	}
	return out
}

// Instruments gives up to limit instruments with ids above after, by id.
func (d *Directory) Instruments(after int64, limit int) []Instrument {
	d.mu.RLock()
	defer d.mu.RUnlock()
	from := min(max(after, 0), int64(len(d.instruments)))
	return slices.Clone(d.instruments[from:min(int64(len(d.instruments)), from+int64(limit))])
}

// Reserve gives a definition its id, writes it into the entry and holds it until [Directory.Apply]; nobody sees it before. Where
// the same definition is there already (seen, or held), it gives exists and writes that one's id; where what it takes is defined otherwise, a rejection.
// Only the sequencer calls it.
func (d *Directory) Reserve(e *Entry) (exists bool, rej *Rejection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Account != nil {
		return d.reserveAccount(e.Account)
	}
	return d.reserveInstrument(e.Define)
}

func (d *Directory) reserveAccount(a *Account) (bool, *Rejection) {
	same, taken := d.held.accountByCode(a.Code)
	if id, ok := d.codes[a.Code]; ok {
		same, taken = d.accounts[id], true
	}
	if taken {
		if a.ID != 0 && a.ID != same.ID || same.Entity != a.Entity || same.Name != a.Name {
			return false, Reject(ReasonAccountExists, "account.code", "%s is account %d, defined otherwise", a.Code, same.ID)
		}
		a.ID = same.ID
		return true, nil
	}
	if a.ID == 0 {
		a.ID = d.nextAccount
	}
	other, taken := d.accounts[a.ID]
	if !taken {
		other, taken = d.held.accountByID(a.ID)
	}
	if taken {
		return false, Reject(ReasonAccountExists, "account.id", "%d is %s", a.ID, other.Code)
	}
	d.nextAccount = max(d.nextAccount, a.ID+1)
	d.held.accounts = append(d.held.accounts, *a)
	return false, nil
}

func (d *Directory) reserveInstrument(in *Instrument) (bool, *Rejection) {
	for _, identifier := range in.Identifiers {
		same, taken := d.held.instrument(identifier)
		if id, ok := d.identifiers[identifier]; ok {
			same, taken = d.instruments[id-1], true
		}
		if !taken {
			continue
		}
		if same.Symbol != in.Symbol || same.Kind != in.Kind || !slices.Equal(same.Identifiers, in.Identifiers) {
			return false, Reject(ReasonInstrumentExists, "instrument.identifiers", "%s is instrument %d, defined otherwise", identifier, same.ID)
		}
		in.ID = same.ID
		return true, nil
	}
	in.ID = int64(len(d.instruments)+len(d.held.instruments)) + 1
	d.held.instruments = append(d.held.instruments, *in)
	return false, nil
}

// Release gives up what [Directory.Reserve] holds for an entry that will not be booked, and for nil everything that is held.
func (d *Directory) Release(e *Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e == nil:
		d.held = held{}
	case e.Account != nil:
		d.held.accounts = slices.DeleteFunc(d.held.accounts, func(h Account) bool { return h.ID == e.Account.ID })
	case e.Define != nil:
		d.held.instruments = slices.DeleteFunc(d.held.instruments, func(h Instrument) bool { return h.ID == e.Define.ID })
	}
}

// Apply folds one entry in; all but definitions leave the directory as it is.
func (d *Directory) Apply(e *Entry) {
	if e.Account == nil && e.Define == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := e.Account; a != nil {
		d.accounts[a.ID] = *a
		d.codes[a.Code] = a.ID
		d.accountIDs, d.sorted = append(d.accountIDs, a.ID), false
		d.nextAccount = max(d.nextAccount, a.ID+1)
		d.held.accounts = slices.DeleteFunc(d.held.accounts, func(h Account) bool { return h.ID == a.ID })
	}
	if in := e.Define; in != nil {
		if in.ID != int64(len(d.instruments))+1 {
			panic("ledger: instruments are defined out of order")
		}
		d.instruments = append(d.instruments, *in)
		for _, identifier := range in.Identifiers {
			d.identifiers[identifier] = in.ID
		}
		d.held.instruments = slices.DeleteFunc(d.held.instruments, func(h Instrument) bool { return h.ID == in.ID })
	}
}

// held are the definitions that are decided and not yet committed: few, and only for as long as a commit takes.
type held struct {
	accounts    []Account
	instruments []Instrument
}

func (h *held) accountByCode(code string) (Account, bool) {
	i := slices.IndexFunc(h.accounts, func(a Account) bool { return a.Code == code })
	if i < 0 {
		return Account{}, false
	}
	return h.accounts[i], true
}

func (h *held) accountByID(id int64) (Account, bool) {
	i := slices.IndexFunc(h.accounts, func(a Account) bool { return a.ID == id })
	if i < 0 {
		return Account{}, false
	}
	return h.accounts[i], true
}

func (h *held) instrument(id Identifier) (Instrument, bool) {
	i := slices.IndexFunc(h.instruments, func(in Instrument) bool { return slices.Contains(in.Identifiers, id) })
	if i < 0 {
		return Instrument{}, false
	}
	return h.instruments[i], true
}
