package api

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// directory is the DirectoryService.
type directory struct{ *Server }

// defined is what became of one definition.
type defined struct {
	entry  *ledger.Entry
	repeat bool
	err    error
}

// define books definitions, each on its own. one names a single one in requests ("account"), list several ("accounts"): errors are
// located there. convert gives the command of the i-th, or why there is none.
func (s directory) define(ctx context.Context, n int, one, list string, convert func(i int) (*ledger.Command, error)) ([]defined, string, error) {
	if !s.leading() {
		return nil, "", journal.ErrNotLeader
	}
	all := make([]defined, n)
	var commands []*ledger.Command
	var index []int
	for i := range all {
		c, err := convert(i)
		if err != nil {
			all[i].err = moved(err, one, list, i)
			continue
		}
		commands, index = append(commands, c), append(index, i)
	}
	var token string
	var last uint64
	for k, o := range s.cfg.Journal.Book(ctx, commands, journal.BookOptions{}) {
		d := &all[index[k]]
		if o.Err != nil {
			if ledger.AsRejection(o.Err) == nil && len(index) == n {
				return nil, "", o.Err // not for what the definitions say: it holds for all
			}
			d.err = moved(o.Err, one, list, index[k])
			continue
		}
		d.entry, d.repeat = o.Receipt.Entry, o.Receipt.Repeat
		if seq := d.entry.ID.Seq(); seq > last {
			last, token = seq, wire.Token(d.entry)
		}
	}
	return all, token, nil
}

// moved moves a rejection from "account.code" to "accounts[3].code", where list is not "".
func moved(err error, one, list string, i int) error {
	if list == "" {
		return err
	}
	if rej := ledger.AsRejection(err); rej != nil {
		short := *rej
		short.Field = strings.TrimPrefix(strings.TrimPrefix(rej.Field, one), ".")
		err = &short
	}
	return at(list, i, err)
}

func (s directory) CreateAccount(ctx context.Context, req *connect.Request[bkv1.CreateAccountRequest]) (*connect.Response[bkv1.CreateAccountResponse], error) {
	all, token, err := s.define(ctx, 1, "account", "", func(int) (*ledger.Command, error) {
		return commandOf(wire.OpenAccount(req.Msg.Account, req.Msg.Source))
	})
	if err == nil {
		err = all[0].err
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.CreateAccountResponse{
		Account: wire.Account(*all[0].entry.Account), Token: token, Repeat: all[0].repeat,
	}), nil
}

func (s directory) CreateAccounts(ctx context.Context, req *connect.Request[bkv1.CreateAccountsRequest]) (*connect.Response[bkv1.CreateAccountsResponse], error) {
	accounts := req.Msg.Accounts
	all, token, err := s.define(ctx, len(accounts), "account", "accounts", func(i int) (*ledger.Command, error) {
		if err := s.checker.check(accounts[i]); err != nil {
			return nil, err
		}
		return commandOf(wire.OpenAccount(accounts[i], req.Msg.Source))
	})
	if err != nil {
		return nil, err
	}
	res := &bkv1.CreateAccountsResponse{Token: token}
	for _, d := range all {
		r := &bkv1.CreateAccountResult{Repeat: d.repeat}
		if d.err != nil {
			r.Result = &bkv1.CreateAccountResult_Error{Error: s.codes.element(ctx, bkv1connect.DirectoryServiceCreateAccountsProcedure, d.err)}
		} else {
			r.Result = &bkv1.CreateAccountResult_Account{Account: wire.Account(*d.entry.Account)}
		}
		res.Results = append(res.Results, r)
	}
	return connect.NewResponse(res), nil
}

func (s directory) CreateInstrument(ctx context.Context, req *connect.Request[bkv1.CreateInstrumentRequest]) (*connect.Response[bkv1.CreateInstrumentResponse], error) {
	all, token, err := s.define(ctx, 1, "instrument", "", func(int) (*ledger.Command, error) {
		return commandOf(wire.DefineInstrument(req.Msg.Instrument, req.Msg.Source))
	})
	if err == nil {
		err = all[0].err
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.CreateInstrumentResponse{
		Instrument: wire.Instrument(*all[0].entry.Define), Token: token, Repeat: all[0].repeat,
	}), nil
}

func (s directory) CreateInstruments(ctx context.Context, req *connect.Request[bkv1.CreateInstrumentsRequest]) (*connect.Response[bkv1.CreateInstrumentsResponse], error) {
	instruments := req.Msg.Instruments
	all, token, err := s.define(ctx, len(instruments), "instrument", "instruments", func(i int) (*ledger.Command, error) {
		if err := s.checker.check(instruments[i]); err != nil {
			return nil, err
		}
		return commandOf(wire.DefineInstrument(instruments[i], req.Msg.Source))
	})
	if err != nil {
		return nil, err
	}
	res := &bkv1.CreateInstrumentsResponse{Token: token}
	for _, d := range all {
		r := &bkv1.CreateInstrumentResult{Repeat: d.repeat}
		if d.err != nil {
			r.Result = &bkv1.CreateInstrumentResult_Error{Error: s.codes.element(ctx, bkv1connect.DirectoryServiceCreateInstrumentsProcedure, d.err)}
		} else {
			r.Result = &bkv1.CreateInstrumentResult_Instrument{Instrument: wire.Instrument(*d.entry.Define)}
		}
		res.Results = append(res.Results, r)
	}
	return connect.NewResponse(res), nil
}

func (s directory) GetAccount(ctx context.Context, req *connect.Request[bkv1.GetAccountRequest]) (*connect.Response[bkv1.GetAccountResponse], error) {
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	token := s.cfg.Journal.Head()
	a, err := s.account(wire.AccountRefFrom(req.Msg.Account))
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.GetAccountResponse{Account: wire.Account(a), Token: token.String()}), nil
}

func (s directory) ListAccounts(ctx context.Context, req *connect.Request[bkv1.ListAccountsRequest]) (*connect.Response[bkv1.ListAccountsResponse], error) {
	list := listOf("accounts")
	from, err := pageFrom(list, req.Msg.PageToken)
	if err != nil {
		return nil, err
	}
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	size := pageSize(req.Msg.PageSize)
	res := &bkv1.ListAccountsResponse{Token: s.cfg.Journal.Head().String()}
	found := s.cfg.Journal.Directory().Accounts(from.a, size+1)
	if len(found) > size {
		found = found[:size]
		res.NextPageToken = pageToken(list, found[size-1].ID, 0)
	}
	for _, a := range found {
		res.Accounts = append(res.Accounts, wire.Account(a))
	}
	return connect.NewResponse(res), nil
}

func (s directory) GetInstrument(ctx context.Context, req *connect.Request[bkv1.GetInstrumentRequest]) (*connect.Response[bkv1.GetInstrumentResponse], error) {
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	token := s.cfg.Journal.Head()
	var in ledger.Instrument
	var found bool
	if id := req.Msg.GetIdentifier(); id != nil {
		identifier, rej := wire.IdentifierFrom("identifier", id)
		if rej != nil {
			return nil, rej
		}
		if in, found = s.cfg.Journal.Directory().Instrument(identifier); !found {
			return nil, ledger.Reject(ledger.ReasonUnknownInstrument, "identifier", "there is no instrument %s", identifier)
		}
	} else if in, found = s.cfg.Journal.Directory().InstrumentByID(req.Msg.GetId()); !found {
		return nil, ledger.Reject(ledger.ReasonUnknownInstrument, "id", "there is no instrument %d", req.Msg.GetId())
	}
	return connect.NewResponse(&bkv1.GetInstrumentResponse{Instrument: wire.Instrument(in), Token: token.String()}), nil
}

func (s directory) ListInstruments(ctx context.Context, req *connect.Request[bkv1.ListInstrumentsRequest]) (*connect.Response[bkv1.ListInstrumentsResponse], error) {
	list := listOf("instruments")
	from, err := pageFrom(list, req.Msg.PageToken)
	if err != nil {
		return nil, err
	}
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	size := pageSize(req.Msg.PageSize)
	res := &bkv1.ListInstrumentsResponse{Token: s.cfg.Journal.Head().String()}
	found := s.cfg.Journal.Directory().Instruments(from.a, size+1)
	if len(found) > size {
		found = found[:size]
		res.NextPageToken = pageToken(list, found[size-1].ID, 0)
	}
	for _, in := range found {
		res.Instruments = append(res.Instruments, wire.Instrument(in))
	}
	return connect.NewResponse(res), nil
}

// commandOf keeps a nil rejection from becoming an error that is not nil.
func commandOf(c *ledger.Command, rej *ledger.Rejection) (*ledger.Command, error) {
	if rej != nil {
		return nil, rej
	}
	return c, nil
}
