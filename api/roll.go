package api

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/dayroll"
	"github.com/bkledger/bk/ledger/journal"
)

// Roll asks for a roll, and tells how it goes. The roll itself does not depend on the caller: once a day has begun it goes on.
func (s admin) Roll(ctx context.Context, req *connect.Request[bkv1.RollRequest], stream *connect.ServerStream[bkv1.RollResponse]) error {
	if s.cfg.Roll == nil {
		return &codedError{connect.CodeUnimplemented, reasonUnimplemented, "this server was started without the day roll"}
	}
	to := ledger.Date(req.Msg.To)
	if rej := realDay("to", to); rej != nil {
		return rej
	}
	ctx, stop := s.untilDrained(ctx)
	defer stop()
	t := &rollTeller{send: stream.Send, stop: stop}
	err := s.cfg.Roll(ctx, to, !req.Msg.WithoutStreet, t.tell)
	switch {
	case t.err != nil:
		return t.err
	case errors.Is(err, journal.ErrNotLeader):
		return &codedError{connect.CodeUnavailable, reasonNotLeader, "this server does not lead; a roll that had begun is finished by the one that does"}
	case err != nil:
		return s.drainedOr(err)
	}
	if t.days == 0 {
		t.token = s.cfg.Journal.Head().String()
	}
	return stream.Send(&bkv1.RollResponse{Step: &bkv1.RollResponse_Summary{
		Summary: &bkv1.RollSummary{Date: int32(to), Days: t.days, Token: t.token},
	}})
}

// rollTeller sends what a roll tells: every day that has ended, and now and then the progress in between.
type rollTeller struct {
	send  func(*bkv1.RollResponse) error
	stop  func() // ends the telling, where nobody listens any more
	err   error  // why
	sent  time.Time
	days  int32
	token string // of the last day's end
}

func (t *rollTeller) tell(p dayroll.Progress) {
	if t.err != nil {
		return
	}
	message := &bkv1.RollResponse{}
	switch {
	case p.End != nil:
		t.days, t.token = t.days+1, wire.Token(p.End)
		day := p.End.Day
		message.Step = &bkv1.RollResponse_Day{Day: &bkv1.RolledDay{
			Date: int32(day.Date), Opened: day.Opened, Settled: day.Settled, CutRows: day.CutRows,
			CutHash: hex.EncodeToString(day.CutHash[:]), Token: t.token,
		}}
	case time.Since(t.sent) < rebuildProgress:
		return
	default:
		t.sent = time.Now()
		message.Step = &bkv1.RollResponse_Progress{Progress: &bkv1.RollProgress{
			Date: int32(p.Date), To: int32(p.To), Doing: p.Doing, Done: p.Done,
		}}
	}
	if t.err = t.send(message); t.err != nil {
		t.stop()
	}
}

func (s query) GetBusinessDate(ctx context.Context, req *connect.Request[bkv1.GetBusinessDateRequest]) (*connect.Response[bkv1.GetBusinessDateResponse], error) {
	if _, err := s.reach(ctx, req.Msg.AtLeast); err != nil {
		return nil, err
	}
	token := s.cfg.Journal.Head()
	day, err := s.cfg.Journal.BusinessDay(ctx)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&bkv1.GetBusinessDateResponse{
		Date: int32(day.Date), Rolling: day.Rolling(), To: int32(day.To), Token: token.String(),
	}), nil
}
