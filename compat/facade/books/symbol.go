package books

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/script"
)

// symbols knows which instrument stands for a symbol. What is in it never changes.
type symbols struct {
	b          *Ledger
	mu         sync.RWMutex
	known      map[string]*bkv1.Identifier // by symbol
	names      map[int64]instrumentName    // by BK's number
	currencies map[string]bool             // that are defined
}

// instrumentName is a symbol or a currency.
type instrumentName struct{ symbol, currency string }

func newSymbols(b *Ledger) *symbols {
	return &symbols{b: b, known: map[string]*bkv1.Identifier{}, names: map[int64]instrumentName{}, currencies: map[string]bool{}}
}

// identifier gives the identifier of what stands for a symbol, as far as it was looked up before.
func (s *symbols) identifier(symbol string) (*bkv1.Identifier, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, ok := s.known[symbol]
	return id, ok
}

// find gives the identifier of what stands for a symbol, nil if nothing does.
func (s *symbols) find(ctx context.Context, symbol string) (*bkv1.Identifier, error) {
	if id, ok := s.identifier(symbol); ok {
		return id, nil
	}
	var instrument int64
	id := &bkv1.Identifier{}
	err := s.b.pool.QueryRow(ctx, `SELECT instrument, type, value, country, currency FROM facade.books_symbol WHERE symbol = $1`, symbol).
		Scan(&instrument, (*int32)(&id.Type), &id.Value, &id.Country, &id.Currency)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the instrument of %s: %w", symbol, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[symbol], s.names[instrument] = id, instrumentName{symbol: symbol}
	return id, nil
}

// ensure gives the identifier of what stands for the symbol of an instrument as a client names it, and defines it if nothing does.
func (s *symbols) ensure(ctx context.Context, in bank.Instrument) (*bkv1.Identifier, error) {
	if id, err := s.find(ctx, in.Identifier); id != nil || err != nil {
		return id, err
	}
	for n, candidate := range script.Candidates(in) {
		instrument, err := s.define(ctx, in.Identifier, candidate, n == 0)
		if err != nil {
			return nil, fmt.Errorf("define %s: %w", in.Identifier, err)
		}
		if instrument == 0 {
			continue // it is taken
		}
		if err := s.claim(ctx, in.Identifier, instrument, candidate); err != nil {
			return nil, err
		}
		if id, err := s.find(ctx, in.Identifier); id != nil || err != nil {
			return id, err
		}
	}
	return nil, fmt.Errorf("define %s: all of its identifiers stand for other symbols", in.Identifier)
}

// claim makes an instrument stand for a symbol, unless another does, or it stands for another.
func (s *symbols) claim(ctx context.Context, symbol string, instrument int64, id *bkv1.Identifier) error {
	_, err := s.b.pool.Exec(ctx, `INSERT INTO facade.books_symbol (symbol, instrument, type, value, country, currency)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`, symbol, instrument, int32(id.Type), id.Value, id.Country, id.Currency)
	if err != nil {
		return fmt.Errorf("keep the instrument of %s: %w", symbol, err)
	}
	return nil
}

// define defines an instrument of one identifier. Where the identifier is one of an instrument that is defined otherwise, it gives that one if existing
// ones will do, else 0.
func (s *symbols) define(ctx context.Context, symbol string, id *bkv1.Identifier, existing bool) (instrument int64, err error) {
	c := s.b.cfg.Client.Directory
	answer, err := read(ctx, s.b, c.CreateInstrument, &bkv1.CreateInstrumentRequest{
		Source: s.b.cfg.Source, Instrument: script.Security(symbol, id),
	})
	switch reason := client.Reason(err); {
	case err == nil:
		return answer.Instrument.Id, nil
	case reason == client.ReasonInstrumentExists && existing:
		there, err := read(ctx, s.b, c.GetInstrument, &bkv1.GetInstrumentRequest{
			By: &bkv1.GetInstrumentRequest_Identifier{Identifier: id}, AtLeast: atHead,
		})
		if err != nil {
			return 0, err
		}
		return there.Instrument.Id, nil
	case script.Unfit(reason):
		return 0, nil
	}
	return 0, err
}

// ensureCurrency defines a currency.
func (s *symbols) ensureCurrency(ctx context.Context, code string) error {
	s.mu.RLock()
	defined := s.currencies[code]
	s.mu.RUnlock()
	if defined {
		return nil
	}
	if _, err := s.define(ctx, code, bankmap.Currency(code), false); err != nil { // another definition of it is one, too
		return fmt.Errorf("define the currency %s: %w", code, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.currencies[code] = true
	return nil
}

// name gives the symbol of a security, or the code of a currency, by BK's number.
func (s *symbols) name(ctx context.Context, instrument int64) (symbol, currency string, err error) {
	s.mu.RLock()
	known, ok := s.names[instrument]
	s.mu.RUnlock()
	if !ok {
		if known, err = s.lookUp(ctx, instrument); err != nil {
			return "", "", fmt.Errorf("name instrument %d: %w", instrument, err)
		}
		s.mu.Lock()
		s.names[instrument] = known
		s.mu.Unlock()
	}
	return known.symbol, known.currency, nil
}

func (s *symbols) lookUp(ctx context.Context, instrument int64) (name instrumentName, err error) {
	if name.symbol, err = s.symbolOf(ctx, instrument); name.symbol != "" || err != nil {
		return name, err
	}
	answer, err := read(ctx, s.b, s.b.cfg.Client.Directory.GetInstrument, &bkv1.GetInstrumentRequest{
		By: &bkv1.GetInstrumentRequest_Id{Id: instrument}, AtLeast: atHead,
	})
	if err != nil {
		return name, err
	}
	in := answer.Instrument
	if in.Kind == bkv1.InstrumentKind_INSTRUMENT_KIND_CURRENCY {
		name.currency = in.Identifiers[0].Value
		return name, nil
	}
	// No symbol stands for it: BK's own users have booked it. From now on its own does.
	for _, symbol := range []string{in.Symbol, fmt.Sprintf("%s.%d", in.Symbol, in.Id)} {
		if err := s.claim(ctx, symbol, instrument, in.Identifiers[0]); err != nil {
			return name, err
		}
		if name.symbol, err = s.symbolOf(ctx, instrument); name.symbol != "" || err != nil {
			return name, err
		}
	}
	return name, errors.New("both of its names stand for other instruments")
}

// symbolOf gives the symbol that an instrument stands for, "" if none.
func (s *symbols) symbolOf(ctx context.Context, instrument int64) (symbol string, err error) {
	err = s.b.pool.QueryRow(ctx, `SELECT symbol FROM facade.books_symbol WHERE instrument = $1`, instrument).Scan(&symbol)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", err
	}
	return symbol, nil
}
