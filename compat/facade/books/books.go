package books

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/facade/books/archive"
)

// Config is what a [Ledger] needs. The zero value of a field is its default.
type Config struct {
	// Client calls BK, Pool is the façade's database with its schema (package schema). Needed; the caller closes them.
	Client *client.Client
	Pool   *pgxpool.Pool
	// IDs says how Bank's ids and BK's belong together; its owner keeps it up to date. Needed.
	IDs *IDs
	// Pass makes the ids that BK gives go on behind these; it is called before something is booked by a replay under an id that BK could come to itself. Left out, the
	// ledger does it alone: for one that shares its IDs with nobody.
	Pass func(ctx context.Context, trade, cash bank.ID) error
	// Source names the façade in BK's journal, at most 128 bytes. Default: hotswap.
	Source string
	// RetryFor is how long a booking is tried again while BK can't take it, waiting for other bookings' tries included: then it is answered, within five more seconds. ReadFor
	// is the same of a read, whose last try may take a CallTimeout more. Defaults: 15 s, or twice a CallTimeout that is given; 5 s.
	RetryFor, ReadFor time.Duration
	// CallTimeout bounds one try. It is below RetryFor, so that a call whose answer never comes is asked for again. Default: two thirds of
	// RetryFor, 10 s at most.
	CallTimeout time.Duration
	// Senders is how many batches of single commands are on their way at once. Default: 4.
	Senders int
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Source == "" {
		c.Source = "hotswap"
	}
	if c.RetryFor == 0 {
		c.RetryFor = max(15*time.Second, 2*c.CallTimeout)
	}
	if c.ReadFor == 0 {
		c.ReadFor = 5 * time.Second
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = min(10*time.Second, c.RetryFor*2/3)
	}
	if c.Senders == 0 {
		c.Senders = 4
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var all []error
	check := func(ok bool, field, format string, args ...any) {
		if !ok {
			all = append(all, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
		}
	}
	check(c.Client != nil, "Client", "needed")
	check(c.Pool != nil, "Pool", "needed")
	check(c.IDs != nil, "IDs", "needed")
	check(len(c.Source) <= 128, "Source", "%d bytes, 128 are allowed", len(c.Source))
	check(c.RetryFor > 0, "RetryFor", "%s is not above zero", c.RetryFor)
	check(c.ReadFor > 0, "ReadFor", "%s is not above zero", c.ReadFor)
	check(c.CallTimeout > 0 && c.CallTimeout < c.RetryFor, "CallTimeout", "%s is not between zero and RetryFor, %s", c.CallTimeout, c.RetryFor)
	check(c.Senders > 0 && c.Senders <= 64, "Senders", "%d is not between 1 and 64", c.Senders)
	return errors.Join(all...)
}

// Ledger answers for Bank out of BK. It is safe for concurrent use.
type Ledger struct {
	cfg      Config
	pool     *pgxpool.Pool
	symbols  *symbols
	archive  *archive.Store
	timeline timeline
	run      string       // names this run in the sources of cancels
	minting  sync.RWMutex // read-locked while something is booked under an id of BK's, see pass
	number   atomic.Int64 // of the last cancel
	rolled   atomic.Int64 // when BK was last seen to roll, in nanoseconds

	queue   chan *call    // single commands on their way
	turn    chan struct{} // holds a value while a batch of them is under way
	ctx     context.Context
	end     context.CancelFunc
	senders sync.WaitGroup
	stop    chan struct{} // closed by Close
	once    sync.Once

	accounts *cache[bank.ID, bank.Account]
	bookings *cache[int64, *booking]
	running  *cache[runningKey, bank.Decimal]
	places   *cache[pageKey, string] // where a walk over pages goes on
	strays   *cache[strayKey, []stray]
	free     *cache[freeKey, bool]  // accounts that are known to show a currency without having had any of it
	texts    *cache[string, string] // overflow
}

var _ front.Ledger = (*Ledger)(nil)

// Sizes of the caches, in entries: each keeps between one and two times as many.
const (
	cachedAccounts = 100_000
	cachedBookings = 16 << 10
	cachedRunning  = 32 << 10
	cachedPlaces   = 4 << 10
	cachedStrays   = 1 << 10
	cachedFree     = 16 << 10
	cachedTexts    = 64
)

// New makes a ledger. It doesn't call anybody yet.
func New(cfg Config) (*Ledger, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("books: %w", err)
	}
	run := make([]byte, 6)
	if _, err := rand.Read(run); err != nil {
		return nil, fmt.Errorf("books: name the run: %w", err)
	}
	b := &Ledger{
		cfg: cfg, pool: cfg.Pool, run: hex.EncodeToString(run), queue: make(chan *call, queued), turn: make(chan struct{}, 1), stop: make(chan struct{}),
		timeline: timeline{turn: make(chan struct{}, 1)},
		accounts: newCache[bank.ID, bank.Account](cachedAccounts), bookings: newCache[int64, *booking](cachedBookings),
		running: newCache[runningKey, bank.Decimal](cachedRunning), places: newCache[pageKey, string](cachedPlaces), strays: newCache[strayKey, []stray](cachedStrays),
		free: newCache[freeKey, bool](cachedFree), texts: newCache[string, string](cachedTexts),
	}
	b.symbols = newSymbols(b)
	b.archive = archive.New(cfg.Pool)
	b.ctx, b.end = context.WithCancel(context.Background())
	for range cfg.Senders {
		b.senders.Go(b.sender)
	}
	return b, nil
}

// Forget empties the caches of what has an id of Bank's, after [IDs.Update]: a read may have found an entry of a part that was not known yet.
func (b *Ledger) Forget() {
	b.bookings.clear()
	b.running.clear()
	b.places.clear()
}

// Close waits until what was handed over to BK is answered, at most [Config].CallTimeout. Calls that come later, or still wait, are internal.
func (b *Ledger) Close() {
	b.once.Do(func() { close(b.stop) })
	late := time.AfterFunc(b.cfg.CallTimeout, b.end)
	defer late.Stop()
	b.senders.Wait()
	b.end()
}
