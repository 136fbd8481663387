package main

import (
	"context"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// statementListing is bk statement.
type statementListing struct {
	app      *app
	server   remote
	output   output
	from, to dateFlag
	asOf     asOf
	limit    int
}

func newStatementCommand(a *app) *cobra.Command {
	s := &statementListing{app: a}
	cmd := &cobra.Command{
		Use:     "statement ACCOUNT",
		Short:   "List an account's postings with running balances",
		Long:    "Lists the postings of an account, named by its id or code, in journal order, each with the balance of its bucket after it.",
		Example: "  bk statement 100018 --from 20131007",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args[0]) },
	}
	s.server.bind(cmd)
	s.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().Var(&s.from, "from", "only entries with this effective date or a later one")
	cmd.Flags().Var(&s.to, "to", "only entries with this effective date or an earlier one")
	s.asOf.bind(cmd, "")
	cmd.Flags().IntVar(&s.limit, "limit", 0, "so many lines at most; 0: all")
	return cmd
}

func (s *statementListing) run(ctx context.Context, named string) error {
	account, err := accountRef(named)
	if err != nil {
		return err
	}
	if account == nil {
		return usageError("account: its id or code is needed")
	}
	if s.limit < 0 {
		return usageError("--limit: %d is below zero", s.limit)
	}
	c, head, err := s.server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l := list(s.app.out, s.output.form, ">sequence", "booked_at", "effective_date", "kind", ">trade_id", "symbol", "bucket", ">quantity", ">balance")
	left := s.limit
	err = pages(func(token string) (string, bool, error) {
		size := pageRows
		if s.limit > 0 {
			size = min(size, left)
		}
		req := &bkv1.GetStatementRequest{
			Account: account, FromDate: s.from.date, ToDate: s.to.date, AsOf: s.asOf.date.date, KnownAt: s.asOf.knownAt,
			PageSize: ptr(int32(size)), PageToken: token, AtLeast: head,
		}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.GetStatementResponse], error) {
			return c.Query.GetStatement(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, line := range res.Lines {
			at := line.BookedAt.AsTime().Format(timeForm)
			bucket := enumWord(line.Bucket.String(), "BUCKET_")
			err := l.add(line.Sequence, at, day(line.EffectiveDate), line.Kind, number(line.TradeId), line.Symbol, bucket, line.Quantity, line.Balance)
			if err != nil {
				return "", false, err
			}
		}
		left -= len(res.Lines)
		return res.NextPageToken, s.limit == 0 || left > 0, nil
	})
	if err != nil {
		return err
	}
	return l.end()
}
