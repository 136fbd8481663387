package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// place is where a page ended, in the list's own terms, and for which list and filters that is.
type place struct {
	list uint32 // see listOf
	a, b int64
}

// listOf tells lists and filters apart, so that a token is not used with others.
func listOf(name string, filters ...any) uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s%q", name, filters)
	return h.Sum32()
}

// pageToken writes a place as opaque text.
func pageToken(list uint32, a, b int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1 %d %d %d", list, a, b))
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
	var version int
	var rest string
	if n, _ := fmt.Sscanf(string(text)+" .", "%d %d %d %d %s", &version, &p.list, &p.a, &p.b, &rest); n != 5 || rest != "." ||
		version != 1 || p.list != list || p.a < 0 || p.b < 0 || token != pageToken(list, p.a, p.b) {
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

// reach waits until the journal is at least where at_least says, and gives that sequence number.
func (s *Server) reach(ctx context.Context, atLeast string) (uint64, error) {
	t, err := s.token("at_least", atLeast)
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
