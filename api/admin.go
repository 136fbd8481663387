package api

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// admin is the AdminService.
type admin struct{ *Server }

func (s admin) Status(ctx context.Context, _ *connect.Request[bkv1.StatusRequest]) (*connect.Response[bkv1.StatusResponse], error) {
	states, err := s.cfg.Runner.Status(ctx)
	if err != nil {
		return nil, err
	}
	day, err := s.cfg.Journal.BusinessDay(ctx)
	if err != nil {
		return nil, err
	}
	head := s.cfg.Journal.Head()
	res := &bkv1.StatusResponse{
		Version: s.cfg.Version, Shard: int32(head.Shard), Leading: s.cfg.Journal.Leading(), Epoch: s.cfg.Journal.Epoch(), Head: head.String(),
		BusinessDate: int32(day.Date), Rolling: day.Rolling(),
	}
	for _, p := range states {
		if p.Active.Number == 0 && p.Trouble == "" {
			continue // not built yet
		}
		status := &bkv1.ProjectionStatus{
			Name: p.Name, Version: int32(p.Active.Version), Sequence: int64(p.Active.Checkpoint.Seq),
			Lag: lag(head, p.Active.Checkpoint.Seq), Running: p.Running, Trouble: trouble(p),
		}
		if p.Active.Number == 0 {
			status.Version = int32(p.CodeVersion)
		}
		if p.Building.Number != 0 {
			status.Building = int64(p.Building.Checkpoint.Seq)
		}
		res.Projections = append(res.Projections, status)
	}
	if s.cfg.Published != nil {
		seq := s.cfg.Published()
		res.Publisher = &bkv1.PublisherStatus{Sequence: int64(seq), Lag: lag(head, seq)}
	}
	return connect.NewResponse(res), nil
}

// trouble says what is wrong with a projection, for a person; "" if nothing.
func trouble(p projections.Status) string {
	var all []string
	if p.Active.Fault != "" {
		all = append(all, "stopped: "+p.Active.Fault)
	}
	if p.Trouble != "" {
		all = append(all, "held up: "+p.Trouble)
	}
	return strings.Join(all, "; ")
}

// lag is how far seq is behind; what is read first may be behind what is read then.
func lag(head ledger.Token, seq uint64) int64 { return max(0, int64(head.Seq)-int64(seq)) }

func (s admin) Verify(ctx context.Context, _ *connect.Request[bkv1.VerifyRequest], stream *connect.ServerStream[bkv1.VerifyResponse]) error {
	if s.cfg.Verify == nil {
		return &codedError{connect.CodeUnimplemented, reasonUnimplemented, "this server was started without verification"}
	}
	ctx, stop := s.untilDrained(ctx)
	defer stop()
	return s.drainedOr(s.cfg.Verify(ctx, stream.Send))
}

func (s admin) Rebuild(ctx context.Context, req *connect.Request[bkv1.RebuildRequest], stream *connect.ServerStream[bkv1.RebuildResponse]) error {
	ctx, stop := s.untilDrained(ctx)
	defer stop()
	type state struct{ done, total uint64 }
	latest := make(chan state, 1) // holds the newest: a slow client misses steps, and doesn't hold up the rebuild
	ended := make(chan error, 1)
	go func() {
		ended <- s.cfg.Runner.Rebuild(ctx, req.Msg.Projection, func(done, total uint64) {
			select {
			case <-latest:
			default:
			}
			latest <- state{done, total}
		})
	}()
	tick := time.NewTicker(rebuildProgress)
	defer tick.Stop()
	var last state
	send := func(done bool) error {
		return stream.Send(&bkv1.RebuildResponse{Projection: req.Msg.Projection, Sequence: int64(last.done), Head: int64(last.total), Done: done})
	}
	for {
		select {
		case err := <-ended:
			if err != nil {
				return s.drainedOr(err)
			}
			select {
			case last = <-latest:
			default:
			}
			return send(true)
		case <-tick.C:
			select {
			case last = <-latest:
			default:
			}
			if err := send(false); err != nil {
				stop()
				<-ended
				return err
			}
		}
	}
}

// untilDrained gives a context that ends when the server drains, too.
func (s *Server) untilDrained(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.drained:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// drainedOr gives errDraining for the error of a call that the drain ended.
func (s *Server) drainedOr(err error) error {
	if err != nil && s.isDrained() {
		return errDraining
	}
	return err
}

func (s *Server) isDrained() bool {
	select {
	case <-s.drained:
		return true
	default:
		return false
	}
}
