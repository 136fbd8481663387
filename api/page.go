package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/jackc/pgx/v5"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// place is where a page ended, in the list's own terms, and for which list and filters that is.
type place struct {
	list  uint32 // see listOf
	a, b  int64
	text  string // letters only; of lists that go by a currency, too
	known uint64 // what the walk's known_at came to; 0 if it has none
}

// listOf tells lists and filters apart, so that a token is not used with others.
func listOf(name string, filters ...any) uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s%#v", name, filters)
	return h.Sum32()
}

// pageToken writes a place as opaque text.
func pageToken(list uint32, a, b int64) string { return place{list: list, a: a, b: b}.token() }

// token writes a place as opaque text.
func (p place) token() string {
	if p.text == "" && p.known == 0 {
		return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1 %d %d %d", p.list, p.a, p.b))
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "2 %d %d %d %d %s", p.list, p.a, p.b, p.known, cmp.Or(p.text, "-")))
}

// pageFrom reads a page token; "" is the beginning.
func pageFrom(list uint32, token string) (place, error) {
	if token == "" {
		return place{list: list}, nil
	}
	bad := ledger.Reject(ledger.ReasonInvalid, "page_token", "is none that this list with these filters gave")
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return place{}, bad
	}
	var p place
	switch words := strings.Fields(string(text)); len(words) {
	case 4:
		_, err = fmt.Sscanf(string(text), "1 %d %d %d", &p.list, &p.a, &p.b)
	case 6:
		_, err = fmt.Sscanf(string(text), "2 %d %d %d %d %s", &p.list, &p.a, &p.b, &p.known, &p.text)
		p.text = strings.TrimPrefix(p.text, "-")
	default:
		return place{}, bad
	}
	if err != nil || p.list != list || p.a < 0 || p.b < 0 || token != p.token() {
		return place{}, bad
	}
	return p, nil
}

// pageSize gives the size of a page; bounds are checked by the declared rules.
func pageSize(size *int32) int {
	if size == nil {
		return defaultPage
	}
	return int(max(1, min(*size, maxPage)))
}

// token parses a token of this shard.
func (s *Server) token(field, text string) (ledger.Token, error) {
	t, err := ledger.ParseToken(text)
	if err != nil {
		return t, ledger.Reject(ledger.ReasonInvalid, field, "%s", err)
	}
	if here := s.cfg.Journal.Head().Shard; text != "" && t.Shard != here {
		return t, ledger.Reject(ledger.ReasonInvalid, field, "is of shard %d, this server has shard %d", t.Shard, here)
	}
	return t, nil
}

// atHead in at_least stands for the journal's head as this server knows it when the call arrives.
const atHead = "head"

// reach waits until the journal is at least where at_least says, and gives that sequence number.
func (s *Server) reach(ctx context.Context, atLeast string) (uint64, error) {
	if atLeast == atHead {
		return s.cfg.Journal.Head().Seq, nil
	}
	return s.reachOf(ctx, "at_least", atLeast)
}

// reachOf is reach for a token in another field.
func (s *Server) reachOf(ctx context.Context, field, token string) (uint64, error) {
	t, err := s.token(field, token)
	if err != nil || t.Seq == 0 {
		return 0, err
	}
	waiting, cancel := context.WithTimeout(ctx, s.cfg.Limits.BehindTimeout)
	defer cancel()
	if err := s.cfg.Journal.Wait(waiting, t.Seq-1); err != nil {
		return 0, &projections.BehindError{Projection: "journal", Want: t.Seq, Have: s.cfg.Journal.Head().Seq, Err: err}
	}
	return t.Seq, nil
}

// projected waits until a projection has the entry seq.
func (s *Server) projected(ctx context.Context, name string, seq uint64) error {
	if seq == 0 {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, s.cfg.Limits.BehindTimeout)
	defer cancel()
	return s.cfg.Runner.WaitFor(waiting, name, seq)
}

// collect fills a page of size rows from a projection whose own pages are filtered further: take says whether it took a row. It looks at a bounded
// number of them, from after on, and gives where it ended and whether there may be more.
func collect[Row, Key any](
	size int, after Key, read func(after Key) (rows []Row, next Key, more bool, err error), key func(Row) Key, take func(Row) bool,
) (Key, bool, error) {
	taken := 0
	for range scanPages {
		rows, next, more, err := read(after)
		if err != nil {
			return after, false, err
		}
		for _, row := range rows {
			if taken == size {
				return after, true, nil // this row is for the next page
			}
			after = key(row)
			if take(row) {
				taken++
			}
		}
		if after = next; !more || taken == size {
			return after, more, nil
		}
	}
	return after, true, nil
}

// instrument finds the instrument that a request names in a field; none is the zero instrument.
func (s *Server) instrument(field string, id *bkv1.Identifier) (ledger.Instrument, error) {
	if id == nil {
		return ledger.Instrument{}, nil
	}
	identifier, rej := wire.IdentifierFrom(field, id)
	if rej != nil {
		return ledger.Instrument{}, rej
	}
	in, ok := s.cfg.Journal.Directory().Instrument(identifier)
	if !ok {
		return in, ledger.Reject(ledger.ReasonUnknownInstrument, field, "there is no instrument %s", identifier)
	}
	return in, nil
}

// party finds the account that a request names, if it names one; none is 0.
func (s *Server) party(ref *bkv1.AccountRef) (int64, error) {
	if ref == nil {
		return 0, nil
	}
	a, err := s.account(wire.AccountRefFrom(ref))
	return a.ID, err
}

func (s *Server) codeOf(account int64) string {
	a, _ := s.cfg.Journal.Directory().Account(ledger.AccountRef{ID: account})
	return a.Code
}

func (s *Server) kindOf(account int64) ledger.AccountKind {
	a, _ := s.cfg.Journal.Directory().Account(ledger.AccountRef{ID: account})
	return a.Kind
}

func (s *Server) symbolOf(instrument int64) string {
	in, _ := s.cfg.Journal.Directory().InstrumentByID(instrument)
	return in.Symbol
}

// folded gives the place that a projection is at.
func (s *Server) folded(ctx context.Context, name string) (token ledger.Token, err error) {
	err = s.cfg.Runner.View(ctx, name, 0, func(_ pgx.Tx, g projections.Generation) error {
		token = ledger.Token{Shard: g.Shard, Seq: g.Checkpoint.Seq}
		return nil
	})
	return token, err
}

// account finds the account that a request names.
func (s *Server) account(ref ledger.AccountRef) (ledger.Account, error) {
	a, ok := s.cfg.Journal.Directory().Account(ref)
	if !ok {
		name := ref.Code
		if name == "" {
			name = fmt.Sprint(ref.ID)
		}
		return a, ledger.Reject(ledger.ReasonUnknownAccount, "account", "there is no account %s", name)
	}
	return a, nil
}
