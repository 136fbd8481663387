package books

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/archive"
	"github.com/bkledger/bk/compat/facade/idle"
	"github.com/bkledger/bk/compat/facade/mode"
)

// ErrMissing says that BK has not what its own journal names: asking again doesn't help.
var ErrMissing = errors.New("BK does not have it")

// StreamConfig is what a [Stream] needs. The zero value of a field is its default.
type StreamConfig struct {
	// Client calls BK, Pool is the façade's database, which is only read. Needed; the caller closes them.
	Client *client.Client
	Pool   *pgxpool.Pool
	// ReadFor is how long a question is asked again while BK can't answer, CallTimeout bounds one try. Defaults: 5 s, 10 s.
	ReadFor, CallTimeout time.Duration
	// Log: default none.
	Log *slog.Logger
}

// Stream answers what BK's events don't say and Bank's do: business dates, Bank's ids, texts that are too long for BK. All of it is about the journal up to a place that
// the caller has seen, and so never changes: the same question has the same answer for ever. It is safe for concurrent use, and reads only.
//
// The façade's history of modes is read by itself, again and again as the journal grows: an id is told only if no later step can change it.
type Stream struct {
	b     *Ledger
	known atomic.Int64  // all epochs that begin up to this sequence number are known, and where they end up to there
	turn  chan struct{} // holds a value while somebody reads the history

	trades      *cache[int64, bank.ID] // Bank's ids by BK's, 0: it has none
	instruments *cache[listing, int64]
}

// listing is an identifier as a map's key.
type listing struct {
	kind                     bkv1.IdentifierType
	value, country, currency string
}

const (
	cachedTradeIDs    = 32 << 10
	cachedInstruments = 64 << 10
)

// NewStream makes one. It doesn't call anybody yet.
func NewStream(cfg StreamConfig) (*Stream, error) {
	retry := time.Duration(0)
	if cfg.CallTimeout > 0 {
		retry = 2 * cfg.CallTimeout // of bookings, which it doesn't make
	}
	b, err := New(Config{
		Client: cfg.Client, Pool: cfg.Pool, IDs: NewIDs(), ReadFor: cfg.ReadFor, CallTimeout: cfg.CallTimeout, RetryFor: retry, Senders: 1, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Stream{
		b: b, turn: make(chan struct{}, 1), trades: newCache[int64, bank.ID](cachedTradeIDs), instruments: newCache[listing, int64](cachedInstruments),
	}, nil
}

// Close ends it.
func (s *Stream) Close() { s.b.Close() }

// Date gives the business date at a place in BK's journal, 0 before the first.
func (s *Stream) Date(ctx context.Context, sequence int64) (bank.Date, error) {
	return s.b.dateAt(ctx, sequence)
}

// DayBefore gives the business date before the one at a place in BK's journal, 0 if that is the first.
func (s *Stream) DayBefore(ctx context.Context, sequence int64) (bank.Date, error) {
	if _, err := s.b.dateAt(ctx, sequence); err != nil {
		return 0, err
	}
	return s.b.timeline.before(sequence), nil
}

// TradeID gives Bank's id of the trade that an entry books, 0 if it has none: BK's own users have booked it while Bank was the primary.
func (s *Stream) TradeID(ctx context.Context, booked *bkv1.Entry) (bank.ID, error) {
	return s.tradeID(ctx, booked.GetId(), booked.GetSource())
}

func (s *Stream) tradeID(ctx context.Context, booked int64, source string) (bank.ID, error) {
	if o, ok := bankmap.ParseOrigin(source); ok {
		if o.Kind != bankmap.OriginTrade {
			return 0, nil
		}
		return o.ID, nil
	}
	if err := s.learn(ctx, booked); err != nil {
		return 0, err
	}
	id, _ := s.b.cfg.IDs.trade(booked)
	return id, nil
}

// CashID gives Bank's id of the cash movement that an entry is, 0 if it has none.
func (s *Stream) CashID(ctx context.Context, e *bkv1.Entry) (bank.ID, error) {
	if _, ok := bankmap.ParseOrigin(e.GetSource()); !ok {
		if err := s.learn(ctx, e.GetId()); err != nil {
			return 0, err
		}
	}
	id, ok := s.b.cashIDOf(e)
	if !ok {
		return 0, nil
	}
	return id, nil
}

// ReplacedBy gives Bank's id of the trade that a cancel makes room for, 0 if it does for none, or one that has no id.
func (s *Stream) ReplacedBy(ctx context.Context, cancel *bkv1.Entry) (bank.ID, error) {
	by := cancel.GetLinks().GetReplacedBy()
	if by == 0 {
		return 0, nil
	}
	return s.tradeID(ctx, by, cancel.GetSource()) // the cancel is a part of that booking, and has its source
}

// Booking gives the entry that booked a trade, by BK's id of it. [ErrMissing] if there is none.
func (s *Stream) Booking(ctx context.Context, trade int64) (*bkv1.Entry, error) {
	answer, err := read(ctx, s.b, s.b.cfg.Client.Query.GetEntry, &bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Id{Id: trade}, AtLeast: atHead})
	if client.Reason(err) == bankmap.ReasonEntryNotFound || err == nil && !bankmap.Books(answer.Entry) {
		return nil, fmt.Errorf("the booking of trade %d: %w", trade, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("the booking of trade %d: %w", trade, err)
	}
	return answer.Entry, nil
}

// IDOf gives Bank's id of a trade by BK's, 0 if it has none.
func (s *Stream) IDOf(ctx context.Context, trade int64) (bank.ID, error) {
	if id, ok := s.trades.get(trade); ok {
		return id, nil
	}
	booked, err := s.Booking(ctx, trade)
	if err != nil {
		return 0, err
	}
	id, err := s.TradeID(ctx, booked)
	if err == nil {
		s.Keep(trade, id)
	}
	return id, err
}

// Keep spares [Stream.IDOf] a question: id is Bank's of BK's trade.
func (s *Stream) Keep(trade int64, id bank.ID) { s.trades.put(s.trades.now(), trade, id) }

// ArchivedReplaced gives Bank's id of the archived trade in whose place the trade of a booking stands that replaces none of BK's, 0 if there is none.
func (s *Stream) ArchivedReplaced(ctx context.Context, booked *bkv1.Entry) (bank.ID, error) {
	past, err := s.b.archive.Place(ctx)
	if err != nil || !past.There() {
		return 0, err
	}
	id, err := s.TradeID(ctx, booked)
	if err != nil || id == 0 {
		return 0, err
	}
	x, err := s.b.extras(ctx, booked)
	if err != nil {
		return 0, err
	}
	return s.b.archivedReplaced(ctx, booked, id, x.CancelTradeID)
}

// Opening gives BK's sequence number up to which its journal was loaded as opening balances and what was alive, and the highest id of the journal rows that are archived; zeros if it was not.
func (s *Stream) Opening(ctx context.Context) (head int64, lastRow bank.ID, err error) {
	past, err := s.b.archive.Place(ctx)
	return past.Head, past.LastRow, err
}

// ArchivedTrades gives the trades of some accounts that are over, of all where they are nil, as they stand.
func (s *Stream) ArchivedTrades(ctx context.Context, accounts []int64, do func(*bank.StoredTrade) error) error {
	replaced, err := s.b.archive.Replaced(ctx)
	if err != nil {
		return err
	}
	return s.b.archive.Each(ctx, accounts, func(t *archive.Trade) error {
		if !t.Over() {
			return nil
		}
		read := t.Stored
		if replaced[t.ID] {
			read = func() (bank.StoredTrade, error) { return s.b.archivedStored(ctx, t) }
		}
		stored, err := read()
		if err != nil {
			return err
		}
		return do(&stored)
	})
}

// ArchivedRows gives all archived journal rows, with the cash movement that one is of or 0, by id.
func (s *Stream) ArchivedRows(ctx context.Context, do func(account, cash bank.ID, row *bank.JournalRow) error) error {
	return s.b.archive.EachRow(ctx, func(r archive.Row) error { return do(r.Account, r.Cash, &r.JournalRow) })
}

// Extras gives the text of what BK's trade has no field for ([bankmap.ParseExtras]), by what stands in the booking's metadata; "" for none.
func (s *Stream) Extras(ctx context.Context, inBK string) (string, error) {
	if inBK == "" {
		return "", nil
	}
	return s.b.extrasText(ctx, inBK)
}

// Instrument gives BK's number of what an identifier names. [ErrMissing] if it names nothing.
func (s *Stream) Instrument(ctx context.Context, id *bkv1.Identifier) (int64, error) {
	key := listing{id.GetType(), id.GetValue(), id.GetCountry(), id.GetCurrency()}
	if number, ok := s.instruments.get(key); ok {
		return number, nil
	}
	answer, err := read(ctx, s.b, s.b.cfg.Client.Directory.GetInstrument, &bkv1.GetInstrumentRequest{
		By: &bkv1.GetInstrumentRequest_Identifier{Identifier: id}, AtLeast: atHead,
	})
	if client.Reason(err) == reasonUnknownInstrument {
		return 0, fmt.Errorf("the instrument %v: %w", id, ErrMissing)
	}
	if err != nil {
		return 0, fmt.Errorf("the instrument %v: %w", id, err)
	}
	s.instruments.put(s.instruments.now(), key, answer.Instrument.Id)
	return answer.Instrument.Id, nil
}

const reasonUnknownInstrument = "unknown_instrument"

// Currency gives BK's number of a currency. [ErrMissing] if there is none such.
func (s *Stream) Currency(ctx context.Context, code string) (int64, error) {
	if number, ok := s.instruments.get(listing{kind: bkv1.IdentifierType_IDENTIFIER_TYPE_CURRENCY, value: code}); ok {
		return number, nil
	}
	return s.Instrument(ctx, bankmap.Currency(code))
}

// learn reads the history of modes, if need be, until Bank's id of an entry of BK can't be changed by it any more.
func (s *Stream) learn(ctx context.Context, entry int64) error {
	sequence := entry & (1<<48 - 1)
	if s.known.Load() >= sequence {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return fmt.Errorf("Bank's ids at entry %d: %w", entry, ctx.Err())
	}
	for waited := false; s.known.Load() < sequence; {
		head, stepping, err := s.extend(ctx)
		switch {
		case err != nil && waited && ctx.Err() != nil: // the time was over while a question was asked, and not between two
			return fmt.Errorf("Bank's ids at entry %d: a step to another mode is under way: %w: %w", entry, ctx.Err(), err)
		case err != nil:
			return fmt.Errorf("Bank's ids at entry %d: %w", entry, err)
		case stepping && !idle.For(ctx, minPause):
			return fmt.Errorf("Bank's ids at entry %d: a step to another mode is under way: %w", entry, ctx.Err())
		case !stepping && head < sequence:
			return fmt.Errorf("Bank's ids at entry %d: BK's journal ends at %d", entry, head)
		}
		waited = stepping
	}
	return nil
}

// stepUnderWay asks whether a step may yet come into force. (Nobody has ended one whose coordinator and all replicas are gone; its transaction is long over then.)
const stepUnderWay = `SELECT EXISTS (SELECT FROM facade.switch WHERE ended_at IS NULL AND drain_until + interval '2 minutes' > clock_timestamp())`

// extend learns all epochs up to the journal's head, unless a step to another mode is under way. The order of the questions matters: an epoch that comes into force
// behind them has its beginning behind head, since its step asked for that later.
func (s *Stream) extend(ctx context.Context) (head int64, stepping bool, err error) {
	if head, err = s.b.head(ctx); err != nil {
		return 0, false, err
	}
	if err := s.b.pool.QueryRow(ctx, stepUnderWay).Scan(&stepping); err != nil || stepping {
		return 0, stepping, err
	}
	history, err := mode.History(ctx, s.b.pool)
	if err != nil {
		return 0, false, err
	}
	if len(history) == 0 {
		return 0, false, errors.New("no façade has run on its database")
	}
	s.b.cfg.IDs.Update(Minted(history))
	head &= 1<<48 - 1
	s.known.Store(head)
	return head, false, nil
}
