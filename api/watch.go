package api

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// WatchJournal reads as fast as the client does: each message is read from the journal when the one before has gone out, so a slow
// client costs the memory of one message.
func (s query) WatchJournal(ctx context.Context, req *connect.Request[bkv1.WatchJournalRequest], stream *connect.ServerStream[bkv1.WatchJournalResponse]) error {
	at, err := s.token("after", req.Msg.After)
	if err != nil {
		return err
	}
	at.Shard = s.cfg.Journal.Head().Shard
	ctx, stop := s.untilDrained(ctx)
	defer stop()
	for {
		entries, err := s.next(ctx, at.Seq)
		if err != nil {
			return s.drainedOr(err)
		}
		for {
			message := &bkv1.WatchJournalResponse{}
			for size := 0; len(entries) > 0 && size < pageBytes; entries = entries[1:] {
				e := wire.Entry(entries[0])
				message.Entries = append(message.Entries, e)
				size += proto.Size(e)
				at.Seq = entries[0].ID.Seq()
			}
			message.Token = at.String()
			if err := stream.Send(message); err != nil {
				return err
			}
			if len(entries) == 0 {
				break
			}
		}
	}
}

// next gives the entries behind after; none if nothing came for the time of a heartbeat.
func (s query) next(ctx context.Context, after uint64) ([]*ledger.Entry, error) {
	waiting, cancel := context.WithTimeout(ctx, s.cfg.Limits.Heartbeat)
	defer cancel()
	if err := s.cfg.Journal.Wait(waiting, after); err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return nil, nil
		}
		return nil, err
	}
	return s.cfg.Journal.Read(ctx, after, watchEntries)
}
