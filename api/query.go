package api

import (
	"context"
	"errors"
	"math"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/projections/statement"
)

// query is the QueryService.
type query struct{ *Server }

func (s query) GetEntry(ctx context.Context, req *connect.Request[bkv1.GetEntryRequest]) (*connect.Response[bkv1.GetEntryResponse], error) {
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	token := s.cfg.Journal.Head()
	e, err := s.entry(ctx, req.Msg.GetId(), req.Msg.GetKey())
	if errors.Is(err, journal.ErrNotFound) {
		return nil, &codedError{connect.CodeNotFound, reasonEntryNotFound, "there is no such entry"}
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.GetEntryResponse{Entry: wire.Entry(e), Token: token.String()}), nil
}

// entry finds an entry by id, or by key if id is 0.
func (s query) entry(ctx context.Context, id int64, key string) (*ledger.Entry, error) {
	if id != 0 {
		return s.cfg.Journal.Entry(ctx, ledger.ID(id))
	}
	return s.cfg.Journal.EntryByKey(ctx, key)
}

func (s query) GetTrade(ctx context.Context, req *connect.Request[bkv1.GetTradeRequest]) (*connect.Response[bkv1.GetTradeResponse], error) {
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	at, err := s.moment(ctx, req.Msg.AsOf, req.Msg.KnownAt, 0)
	if err != nil {
		return nil, err
	}
	token := s.cfg.Journal.Head()
	field, id := "id", ledger.ID(req.Msg.GetId())
	if id == 0 {
		field = "key"
		e, err := s.cfg.Journal.EntryByKey(ctx, req.Msg.GetKey())
		if err != nil && !errors.Is(err, journal.ErrNotFound) {
			return nil, err
		}
		if e != nil {
			id = e.ID
		}
	}
	life, err := s.cfg.Journal.Life(ctx, id)
	if err == nil {
		life = at.knew(life)
	}
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(life) == 0 {
		return nil, ledger.Reject(ledger.ReasonTradeNotFound, field, "there is no such trade")
	}
	if err != nil {
		return nil, err
	}
	res := &bkv1.GetTradeResponse{Trade: wire.TradeRecord(life, at.asOf), Token: token.String()}
	for _, e := range life {
		res.Entries = append(res.Entries, wire.Entry(e))
	}
	return connect.NewResponse(res), nil
}

// ListEntries walks the journal, or an account's posting list, a bounded way for each page.
func (s query) ListEntries(ctx context.Context, req *connect.Request[bkv1.ListEntriesRequest]) (*connect.Response[bkv1.ListEntriesResponse], error) {
	m := req.Msg
	list := listOf("entries", m.Account.GetId(), m.Account.GetCode(), m.Kind, m.FirstSequence, m.LastSequence)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	atLeast, err := s.reach(ctx, m.AtLeast)
	if err != nil {
		return nil, err
	}
	walk := entryWalk{
		kind: ledger.Kind(m.Kind), after: uint64(max(from.a, m.FirstSequence-1, 0)), last: uint64(m.LastSequence), size: pageSize(m.PageSize),
	}
	var token ledger.Token
	if m.Account == nil {
		token = s.cfg.Journal.Head()
		err = s.walkJournal(ctx, &walk, token.Seq)
	} else {
		var account ledger.Account
		if account, err = s.account(wire.AccountRefFrom(m.Account)); err == nil {
			token, err = s.walkAccount(ctx, &walk, account.ID, atLeast)
		}
	}
	if err != nil {
		return nil, err
	}
	res := &bkv1.ListEntriesResponse{Entries: walk.found, Token: token.String()}
	if walk.more {
		res.NextPageToken = pageToken(list, int64(walk.after), 0)
	}
	return connect.NewResponse(res), nil
}

// entryWalk collects the entries of a page.
type entryWalk struct {
	kind  ledger.Kind // "" for all
	after uint64      // all up to here has been looked at
	last  uint64      // 0 for no end
	size  int
	found []*bkv1.Entry
	bytes int
	more  bool // there may be entries behind after
}

// see looks at the next entry and reports whether the page has to end there.
func (w *entryWalk) see(e *ledger.Entry) (end bool) {
	seq := e.ID.Seq()
	if seq <= w.after {
		return false // seen: several postings of one entry
	}
	if w.last != 0 && seq > w.last {
		w.more = false
		return true
	}
	if len(w.found) == w.size || w.bytes >= pageBytes {
		w.more = true
		return true
	}
	w.after = seq
	if w.kind == "" || e.Kind == w.kind {
		entry := wire.Entry(e)
		w.found = append(w.found, entry)
		w.bytes += proto.Size(entry)
	}
	return false
}

func (s query) walkJournal(ctx context.Context, w *entryWalk, head uint64) error {
	for scanned := 0; ; {
		if w.after >= head || w.last != 0 && w.after >= w.last {
			w.more = false
			return nil
		}
		if scanned >= scanEntries {
			w.more = true
			return nil
		}
		entries, err := s.cfg.Journal.Read(ctx, w.after, readAtOnce)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			w.more = false
			return nil
		}
		for _, e := range entries {
			if e.ID.Seq() > head {
				w.more = false
				return nil
			}
			if w.see(e) {
				return nil
			}
		}
		scanned += len(entries)
	}
}

func (s query) walkAccount(ctx context.Context, w *entryWalk, account int64, atLeast uint64) (ledger.Token, error) {
	q := statement.Query{Account: account, Limit: w.size, AtLeast: atLeast}
	if w.after > 0 {
		q.After = statement.Place{Seq: w.after, Posting: math.MaxInt32}
	}
	if err := s.projected(ctx, statement.Name, atLeast); err != nil {
		return ledger.Token{}, err
	}
	page, err := s.read.statements.Statement(ctx, q)
	if err != nil {
		return ledger.Token{}, err
	}
	for _, line := range page.Lines {
		if w.see(line.Entry) {
			return page.At, nil
		}
	}
	w.more = page.More && (w.last == 0 || page.Next.Seq < w.last)
	if w.more && page.Next.Posting == math.MaxInt32 {
		w.after = max(w.after, page.Next.Seq) // all of that has been looked at, too
	}
	return page.At, nil
}
