package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// rebuilding is bk rebuild.
type rebuilding struct {
	app    *app
	server remote
	quiet  bool
}

func newRebuildCommand(a *app) *cobra.Command {
	r := &rebuilding{app: a}
	cmd := &cobra.Command{
		Use:   "rebuild [PROJECTION...]",
		Short: "Fill projections anew from the journal",
		Long: `Makes the server fill the named projections anew from the journal, beside those in use, and swap them: all of them, one after the
other, if none is named. bk status names them.`,
		RunE: func(cmd *cobra.Command, names []string) error { return r.run(cmd.Context(), names) },
	}
	r.server.bind(cmd)
	cmd.Flags().BoolVar(&r.quiet, "quiet", false, "no progress")
	return cmd
}

func (r *rebuilding) run(ctx context.Context, names []string) error {
	c, err := r.server.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if len(names) == 0 {
		res, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
		if err != nil {
			return err
		}
		for _, p := range res.Msg.Projections {
			names = append(names, p.Name)
		}
	}
	for _, name := range names {
		if err := r.rebuild(ctx, c, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *rebuilding) rebuild(ctx context.Context, c *client.Client, name string) error {
	start := time.Now()
	stream, err := c.Admin.Rebuild(ctx, connect.NewRequest(&bkv1.RebuildRequest{Projection: name}))
	if err != nil {
		return err
	}
	defer stream.Close()
	m := newMeter(r.app.err, r.quiet)
	var sequence int64
	done := false
	for stream.Receive() {
		p := stream.Msg()
		sequence, done = p.Sequence, p.Done
		m.show(p.Sequence, p.Head, fmt.Sprintf("%s: entry %s", name, grouped(p.Sequence)))
	}
	m.clear()
	if err := stream.Err(); err != nil {
		return err
	}
	if !done {
		return errors.New(name + ": the rebuild broke off; the projection in use is the old one")
	}
	_, err = fmt.Fprintf(r.app.out, "%s: rebuilt up to entry %s in %s\n", name, grouped(sequence), seconds(time.Since(start)))
	return err
}
