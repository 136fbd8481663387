package api

import (
	"context"
	"encoding/hex"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/daily"
)

func (s query) ListCuts(ctx context.Context, req *connect.Request[bkv1.ListCutsRequest]) (*connect.Response[bkv1.ListCutsResponse], error) {
	list := listOf("cuts")
	from, err := pageFrom(list, req.Msg.PageToken)
	if err != nil {
		return nil, err
	}
	atLeast, err := s.reach(ctx, req.Msg.AtLeast)
	if err == nil {
		err = s.projected(ctx, daily.Name, atLeast)
	}
	if err != nil {
		return nil, err
	}
	token, err := s.folded(ctx, daily.Name)
	if err != nil {
		return nil, err
	}
	size := pageSize(req.Msg.PageSize)
	cuts, err := s.read.daily.Cuts(ctx, ledger.Date(from.a), size+1, token.Seq)
	if err != nil {
		return nil, err
	}
	res := &bkv1.ListCutsResponse{Token: token.String()}
	if len(cuts) > size {
		cuts = cuts[:size]
		res.NextPageToken = pageToken(list, int64(cuts[size-1].Day), 0)
	}
	for _, c := range cuts {
		res.Cuts = append(res.Cuts, &bkv1.Cut{
			Date: int32(c.Day), Rows: c.Rows, Hash: hex.EncodeToString(c.Hash[:]), Token: c.Token.String(), BookedAt: timestamppb.New(c.BookedAt),
			BeginToken: c.Begin.String(),
		})
	}
	return connect.NewResponse(res), nil
}

func (s query) ListCutRows(ctx context.Context, req *connect.Request[bkv1.ListCutRowsRequest]) (*connect.Response[bkv1.ListCutRowsResponse], error) {
	m := req.Msg
	list := listOf("cut", m.Date)
	from, err := pageFrom(list, m.PageToken)
	if err != nil {
		return nil, err
	}
	day := ledger.Date(m.Date)
	if rej := realDay("date", day); rej != nil {
		return nil, rej
	}
	atLeast, err := s.reach(ctx, m.AtLeast)
	if err == nil {
		err = s.projected(ctx, daily.Name, atLeast)
	}
	if err != nil {
		return nil, err
	}
	page, err := s.read.daily.CutRows(ctx, day, projections.Key{Account: from.a, Instrument: from.b}, pageSize(m.PageSize))
	if errors.Is(err, daily.ErrNoCut) {
		return nil, &codedError{connect.CodeNotFound, reasonCutNotFound, day.String() + " has not ended: there is no cut of it"}
	}
	if err != nil {
		return nil, err
	}
	res := &bkv1.ListCutRowsResponse{Token: page.Cut.Token.String()}
	if page.More {
		res.NextPageToken = pageToken(list, page.Next.Account, page.Next.Instrument)
	}
	for _, row := range page.Rows {
		res.Rows = append(res.Rows, s.balance(row.Key, row.Holding, "", false))
	}
	return connect.NewResponse(res), nil
}
