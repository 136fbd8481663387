package main

import (
	"context"
	"fmt"
	"strconv"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func newStatusCommand(a *app) *cobra.Command {
	var server remote
	var out output
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where a server stands",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), &server, &out) },
	}
	server.bind(cmd)
	out.bind(cmd, asTable, asJSON)
	return cmd
}

func (a *app) status(ctx context.Context, server *remote, out *output) error {
	c, err := server.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	res, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		return err
	}
	s := res.Msg
	if out.form == asJSON {
		text, err := messageJSON(s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "%s\n", text)
		return err
	}
	l := list(a.out, asTable, "what", "is")
	role := "stands by"
	if s.Leading {
		role = "leads"
	}
	epoch := "none" // a standby has no term
	if s.Epoch != 0 {
		epoch = strconv.FormatInt(s.Epoch, 10)
	}
	rows := [][2]string{
		{"version", s.Version}, {"shard", strconv.Itoa(int(s.Shard))}, {"role", role},
		{"epoch", epoch}, {"head", s.Head}, {"business date", businessDate(s)},
	}
	for _, p := range s.Projections {
		rows = append(rows, [2]string{fmt.Sprintf("projection %s v%d", p.Name, p.Version), projection(p)})
	}
	if p := s.Publisher; p != nil {
		rows = append(rows, [2]string{"publisher", standing(p.Sequence, p.Lag)})
	}
	for _, row := range rows {
		if err := l.add(row[0], row[1]); err != nil {
			return err
		}
	}
	return l.end()
}

// businessDate says where the ledger stands between days.
func businessDate(s *bkv1.StatusResponse) string {
	text := "none: nothing was rolled yet"
	if s.BusinessDate != 0 {
		text = day(s.BusinessDate)
	}
	if s.Rolling {
		text += ", a roll is under way"
	}
	return text
}

// projection says how a projection stands: where, whether it runs here, how far its rebuild is, and what is wrong.
func projection(p *bkv1.ProjectionStatus) string {
	text := standing(p.Sequence, p.Lag)
	if p.Running {
		text += ", running"
	}
	if p.Building > 0 {
		text += ", rebuild at " + grouped(p.Building)
	}
	if p.Trouble != "" {
		text += "\n" + p.Trouble
	}
	return text
}

// standing says how far a follower of the journal is.
func standing(sequence, lag int64) string {
	return fmt.Sprintf("at %s, %s behind", grouped(sequence), grouped(lag))
}
