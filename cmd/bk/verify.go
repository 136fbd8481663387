package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// verification is bk verify.
type verification struct {
	app    *app
	server remote
	output output
	quiet  bool
}

func newVerifyCommand(a *app) *cobra.Command {
	v := &verification{app: a}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read everything and check every promise",
		Long: `Makes the server read everything: the entries add up to zero, the journal has no gap, its hash chain holds up to its head, keys are unique,
every projection is the fold of the journal, and the stream in Kafka is the journal. Ends with 1 if anything is not as it should be,
and says where.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context()) },
	}
	v.server.bind(cmd)
	v.output.bind(cmd, asTable, asJSON)
	cmd.Flags().BoolVar(&v.quiet, "quiet", false, "no progress")
	return cmd
}

func (v *verification) run(ctx context.Context) error {
	c, err := v.server.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	stream, err := c.Admin.Verify(ctx, connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		return err
	}
	defer stream.Close()
	m := newMeter(v.app.err, v.quiet)
	var findings []*bkv1.VerifyFinding
	var summary *bkv1.VerifySummary
	for stream.Receive() {
		switch step := stream.Msg().Step.(type) {
		case *bkv1.VerifyResponse_Progress:
			p := step.Progress
			m.show(p.Done, p.Total, fmt.Sprintf("%s %s", p.Check, grouped(p.Done)))
		case *bkv1.VerifyResponse_Finding:
			findings = append(findings, step.Finding)
		case *bkv1.VerifyResponse_Summary:
			summary = step.Summary
		}
	}
	m.clear()
	if err := stream.Err(); err != nil {
		return err
	}
	if summary == nil {
		return errors.New("the verification broke off: the server sent no summary")
	}
	if v.output.form == asJSON {
		err = v.printJSON(findings, summary)
	} else {
		err = v.printTable(findings, summary)
	}
	if err == nil && !summary.Ok {
		return errReported
	}
	return err
}

func (v *verification) printTable(findings []*bkv1.VerifyFinding, summary *bkv1.VerifySummary) error {
	var breaches []*bkv1.VerifyFinding
	broken := map[string]int{}
	held := map[string]*bkv1.VerifyFinding{}
	var checks []string
	for _, f := range findings {
		if !slices.Contains(checks, f.Check) {
			checks = append(checks, f.Check)
		}
		if f.Ok || held[f.Check] == nil && len(f.Counts) > 0 {
			held[f.Check] = f
		}
		if !f.Ok {
			breaches = append(breaches, f)
			broken[f.Check]++
		}
	}
	l := list(v.app.out, asTable, "check", "result", "checked")
	for _, check := range checks {
		result := "holds"
		if n := broken[check]; n > 0 {
			result = fmt.Sprintf("BROKEN (%s)", grouped(int64(n)))
		}
		if err := l.add(check, result, counts(held[check].GetCounts())); err != nil {
			return err
		}
	}
	if err := l.end(); err != nil {
		return err
	}
	for _, b := range breaches {
		where := fmt.Sprintf("shard %d", b.Shard)
		if b.Sequence != 0 {
			where += fmt.Sprintf(", sequence %d", b.Sequence)
		}
		if _, err := fmt.Fprintf(v.app.out, "BREACH of %s: %s: %s\n", b.Check, where, b.What); err != nil {
			return err
		}
	}
	verdict := "the books hold"
	if !summary.Ok {
		verdict = fmt.Sprintf("the books are broken: %s breaches", grouped(summary.Breaches))
	}
	_, err := fmt.Fprintf(v.app.out, "%d checks up to %s in %s: %s\n", summary.Checks, summary.Token, seconds(summary.Took.AsDuration()), verdict)
	return err
}

func (v *verification) printJSON(findings []*bkv1.VerifyFinding, summary *bkv1.VerifySummary) error {
	text, err := messageJSON(summary)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(v.app.out, "{\"summary\": %s, \"findings\": ", text); err != nil {
		return err
	}
	l := list(v.app.out, asJSON)
	for _, f := range findings {
		if err := l.message(f); err != nil {
			return err
		}
	}
	if err := l.end(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(v.app.out, "}")
	return err
}

// counted writes a number of things, whose name is a plural.
func counted(n int64, names string) string {
	if n == 1 {
		if stem, ok := strings.CutSuffix(names, "ies"); ok {
			names = stem + "y"
		} else {
			names = strings.TrimSuffix(names, "s")
		}
	}
	return grouped(n) + " " + names
}

// counts writes how much was checked, the largest first.
func counts(of map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(of), func(x, y string) int { return cmp.Or(cmp.Compare(of[y], of[x]), cmp.Compare(x, y)) })
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = counted(of[name], strings.ReplaceAll(name, "_", " "))
	}
	return strings.Join(texts, ", ")
}
