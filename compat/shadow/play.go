package shadow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// Traffic says what is played, and against whom. The zero value of a field is its default.
type Traffic struct {
	Target   System // Needed.
	Seed     uint64
	Requests int // at least so many are made; 2,000
	Clients  int // at once; 16
	Accounts int // 60, and one more for each client, which is its own
	Hot      int // of these, those that most trades are of; 4
	// FirstAccount is the id of the first; the others follow. 500001. Entity owns them all; 500.
	FirstAccount, Entity bank.ID
	// FirstDay is the first business date, 20131007, and Rolls how often it is rolled on; 8. Before the first roll there is none.
	FirstDay bank.Date
	Rolls    int
	// Timeout bounds a call, 2 min; Patience is how long a call is repeated whose outcome is not known, 1 min.
	Timeout, Patience time.Duration
}

// WithDefaults fills in what is left out.
func (t Traffic) WithDefaults() Traffic {
	number := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	number(&t.Requests, 2000)
	number(&t.Clients, 16)
	number(&t.Accounts, 60)
	number(&t.Hot, 4)
	number(&t.Rolls, 8)
	if t.FirstAccount == 0 {
		t.FirstAccount = 500_001
	}
	if t.Entity == 0 {
		t.Entity = 500
	}
	if t.FirstDay == 0 {
		t.FirstDay = 20131007
	}
	if t.Timeout == 0 {
		t.Timeout = 2 * time.Minute
	}
	if t.Patience == 0 {
		t.Patience = time.Minute
	}
	return t
}

// Validate reports everything that is wrong.
func (t Traffic) Validate() error {
	wrong := []error{t.Target.validate("Target", true)}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	check(t.Requests >= 100 && t.Requests <= 10_000_000, "Requests: %d is not between 100 and 10000000", t.Requests)
	check(t.Clients >= 1 && t.Clients <= 256, "Clients: %d is not between 1 and 256", t.Clients)
	check(t.Hot >= 2 && t.Hot < t.Accounts, "Hot: %d is not between 2 and Accounts (%d)", t.Hot, t.Accounts)
	check(t.Accounts <= 100_000, "Accounts: %d is above 100000", t.Accounts)
	check(t.FirstAccount > 0 && t.FirstAccount < bank.MaxAccountID-200_000, "FirstAccount: %d is out of range", t.FirstAccount)
	check(t.Entity > 0 && t.Entity < bank.MaxAccountID, "Entity: %d is out of range", t.Entity)
	check(t.FirstDay.Real() && t.FirstDay >= 20010201 && t.FirstDay < 20991231, "FirstDay: %d is no day between 20010201 and 20991231", t.FirstDay)
	check(t.Rolls >= 1 && t.Rolls <= t.Requests/20, "Rolls: %d is not between 1 and a twentieth of Requests", t.Rolls)
	check(t.Timeout > 0 && t.Patience > 0, "Timeout, Patience: must be above 0")
	return errors.Join(wrong...)
}

func (t Traffic) account(i int) bank.ID { return t.FirstAccount + bank.ID(i) }

// Played is what was asked and answered.
type Played struct {
	Requests int            // calls made, those that were repeated counted each time
	Answers  map[string]int // by what was asked and the answer: "cancel: 409 trade_settled"
	Unknown  int            // answers outcome_unknown
	Internal int            // other answers of a status from 500 on
	Lost     int            // calls without an answer
	Trades   []bank.ID      // ids of all trades that were booked, ascending
	Days     []bank.Date    // that a trade may have as its date
	Took     time.Duration

	// Surprised counts answers that the contract does not allow there, Surprises are the first of them, in words.
	Surprised int
	Surprises []string

	cash []movement // the last that were acknowledged
}

// Play has clients make requests at once until there are enough, each checking its answers. It does not end in the middle of anything: what it has sent,
// it knows the outcome of. Its error says that it can't go on; what it played until then is there nevertheless.
func Play(ctx context.Context, t Traffic) (Played, error) {
	t = t.WithDefaults()
	if err := t.Validate(); err != nil {
		return Played{}, fmt.Errorf("shadow: traffic: %w", err)
	}
	d := newDesk(t)
	defer d.close()
	began := time.Now()
	if err := d.open(ctx); err != nil {
		return d.result(), fmt.Errorf("shadow: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var steps atomic.Int64
	var running sync.WaitGroup
	for i := range t.Clients {
		running.Go(func() {
			if err := newPlayer(d, i).play(ctx, &steps); err != nil {
				cancel(fmt.Errorf("shadow: client %d: %w", i, err))
			}
		})
	}
	running.Wait()
	p := d.result()
	p.Took = time.Since(began)
	for day := plusDays(t.FirstDay, -maxLate); day <= plusDays(d.today(), maxAhead); day = plusDays(day, 1) {
		p.Days = append(p.Days, day)
	}
	return p, context.Cause(ctx)
}

// open makes the entity and the accounts, a part of them twice.
func (d *desk) open(ctx context.Context) error {
	define := func(path string, body obj, again bool) error {
		r := request{method: "POST", operations: true, path: path, body: encode(body)}
		for range 2 {
			if _, _, err := d.expect(ctx, "open", r, "201", "200"); err != nil || !again {
				return err
			}
		}
		return nil
	}
	if err := define("/entities", obj{"entity_id": int64(d.traffic.Entity), "client_code": "SHADOW", "legal_name": "Shadow & Söhne"}, true); err != nil {
		return err
	}
	for i := range d.traffic.Accounts + d.traffic.Clients {
		id := d.traffic.account(i)
		body := obj{"account_id": int64(id), "entity_id": d.traffic.Entity.String(), "name": fmt.Sprintf("Account %d", i)}
		if err := define("/accounts", body, i%5 == 0); err != nil {
			return err
		}
	}
	return nil
}
