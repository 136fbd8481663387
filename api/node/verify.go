package node

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/bkledger/bk/api/audit"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/projections"
)

// verifyWait bounds how long a verification waits for projections to catch up.
const verifyWait = 10 * time.Second

// verifier makes the API's verification of an audit: its findings become messages.
func (n *node) verifier(all []projections.Projection) func(context.Context, func(*bkv1.VerifyResponse) error) error {
	return func(ctx context.Context, send func(*bkv1.VerifyResponse) error) error {
		// A caller that went away ends the audit.
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		tell := func(m *bkv1.VerifyResponse) {
			if err := send(m); err != nil {
				cancel(err)
			}
		}
		n.awaitProjections(ctx, all)
		summary, err := audit.Run(ctx, audit.Config{Pool: n.journal.Pool(), Shard: uint16(n.cfg.Shard), Projections: all, Publisher: n.publisher},
			func(check string, done, total int64) {
				tell(&bkv1.VerifyResponse{Step: &bkv1.VerifyResponse_Progress{Progress: &bkv1.VerifyProgress{Check: check, Done: done, Total: total}}})
			},
			func(f audit.Finding) { eachFinding(f, tell) })
		if err != nil {
			return err
		}
		return send(&bkv1.VerifyResponse{Step: &bkv1.VerifyResponse_Summary{Summary: &bkv1.VerifySummary{
			Ok: summary.OK(), Checks: int32(summary.Checks), Breaches: summary.Breaches, Token: summary.Head.String(), Took: durationpb.New(summary.Took),
		}}})
	}
}

// awaitProjections gives the projections a moment to fold what is booked already, so that the audit compares it too. What is not folded
// by then is compared up to its checkpoint, which the counts show.
func (n *node) awaitProjections(ctx context.Context, all []projections.Projection) {
	ctx, cancel := context.WithTimeout(ctx, verifyWait)
	defer cancel()
	head := n.journal.Head().Seq
	for _, p := range all {
		if err := n.runner.WaitFor(ctx, p.Name(), head); err != nil {
			n.log.Warn("a projection is behind; it is verified as far as it is", "error", err)
		}
	}
}

// eachFinding tells a check's breaches one by one, or that it held; the counts come with the first message.
func eachFinding(f audit.Finding, tell func(*bkv1.VerifyResponse)) {
	message := func(v *bkv1.VerifyFinding) {
		tell(&bkv1.VerifyResponse{Step: &bkv1.VerifyResponse_Finding{Finding: v}})
	}
	if f.Count == 0 {
		message(&bkv1.VerifyFinding{Check: f.Check, Ok: true, Counts: f.Counts})
		return
	}
	for i, b := range f.Breaches {
		v := &bkv1.VerifyFinding{Check: f.Check, Shard: int32(b.Shard), Sequence: int64(b.Seq), What: b.What}
		if i == 0 {
			v.Counts = f.Counts
		}
		message(v)
	}
}
