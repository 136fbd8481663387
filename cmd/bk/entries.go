package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// entryListing is bk entries.
type entryListing struct {
	app     *app
	server  remote
	output  output
	account string
	kind    string
	after   string
	limit   int
}

func newEntriesCommand(a *app) *cobra.Command {
	e := &entryListing{app: a}
	cmd := &cobra.Command{
		Use:   "entries",
		Short: "List the journal",
		Long: `Lists entries of the journal in its order. CSV has a row for each posting (and one for each entry without postings); JSON has the
entries whole, as the API gives them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := givenAccount(cmd, e.account); err != nil {
				return err
			}
			return e.run(cmd.Context())
		},
	}
	e.server.bind(cmd)
	e.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().StringVar(&e.account, "account", "", "only entries that post to this account: its id or code")
	cmd.Flags().StringVar(&e.kind, "kind", "", "only entries of this kind, such as trade.cancel")
	cmd.Flags().StringVar(&e.after, "after", "", "only entries behind this sequence or token (shard:sequence)")
	cmd.Flags().IntVar(&e.limit, "limit", 100, "so many at most; 0: all up to now")
	return cmd
}

func (e *entryListing) run(ctx context.Context) error {
	account, err := accountRef(e.account)
	if err != nil {
		return err
	}
	after, err := parseAfter(e.after)
	if err != nil {
		return err
	}
	if e.limit < 0 {
		return usageError("--limit: %d is below zero", e.limit)
	}
	c, head, err := e.server.connected(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	last, err := ledger.ParseToken(head)
	if err != nil {
		return fmt.Errorf("the server's head: %w", err)
	}
	l := e.list()
	left := e.limit
	if int64(last.Seq) > after {
		err = pages(func(token string) (string, bool, error) {
			size := pageRows
			if e.limit > 0 {
				size = min(size, left)
			}
			req := &bkv1.ListEntriesRequest{
				PageSize: ptr(int32(size)), PageToken: token, Account: account, Kind: e.kind,
				FirstSequence: after + 1, LastSequence: int64(last.Seq), AtLeast: head,
			}
			res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListEntriesResponse], error) {
				return c.Query.ListEntries(ctx, connect.NewRequest(req))
			})
			if err != nil {
				return "", false, err
			}
			for _, entry := range res.Entries {
				if err := e.add(l, entry); err != nil {
					return "", false, err
				}
			}
			left -= len(res.Entries)
			return res.NextPageToken, e.limit == 0 || left > 0, nil
		})
	}
	if err != nil {
		return err
	}
	return l.end()
}

func (e *entryListing) list() *listing {
	if e.output.form == asCSV {
		return list(e.app.out, asCSV, "sequence", "entry_id", "booked_at", "kind", "key", "trade_date", "settle_date", "effective_date",
			"trade_id", "reverses", "corrects", "account_id", "instrument_id", "bucket", "quantity", "state", "replaced_by", "root")
	}
	return list(e.app.out, e.output.form, ">sequence", "booked_at", "kind", "key", "effective_date", ">trade", ">postings", "what")
}

func (e *entryListing) add(l *listing, entry *bkv1.Entry) error {
	at := entry.BookedAt.AsTime().Format(timeForm)
	switch e.output.form {
	case asJSON:
		return l.message(entry)
	case asTable:
		return l.add(entry.Sequence, at, entry.Kind, entry.Key, day(entry.EffectiveDate), number(entry.Links.GetTrade()), len(entry.Postings), what(entry))
	}
	base := []any{
		entry.Sequence, entry.Id, at, entry.Kind, entry.Key, number(int64(entry.TradeDate)), number(int64(entry.SettleDate)),
		number(int64(entry.EffectiveDate)), number(entry.Links.GetTrade()), number(entry.Links.GetReverses()), number(entry.Links.GetCorrects()),
	}
	life := []any{state(entry), number(entry.Links.GetReplacedBy()), number(entry.Links.GetRoot())}
	if len(entry.Postings) == 0 {
		return l.add(slices.Concat(base, []any{"", "", "", ""}, life)...)
	}
	for _, p := range entry.Postings {
		bucket := "s"
		if p.Bucket == bkv1.Bucket_BUCKET_UNSETTLED {
			bucket = "u"
		}
		if err := l.add(slices.Concat(base, []any{p.Account, p.Instrument, bucket, p.Quantity}, life)...); err != nil {
			return err
		}
	}
	return nil
}

// state says where an entry left its trade; nothing if it is about none.
func state(entry *bkv1.Entry) string {
	if entry.Trade == nil {
		return ""
	}
	return enumWord(entry.Trade.State.String(), "TRADE_STATE_")
}

// what says in a few words what an entry is about.
func what(entry *bkv1.Entry) string {
	switch {
	case entry.Trade != nil:
		t := entry.Trade.Trade
		side := enumWord(t.GetDirection().String(), "DIRECTION_")
		text := fmt.Sprintf("%d %s %s %s @ %s", t.GetAccount().GetId(), side, t.GetQuantity(), t.GetInstrument().GetValue(), t.GetPrice())
		if id := entry.Links.GetCorrects(); id != 0 {
			text += fmt.Sprintf(", in place of %d", id)
		}
		return text + ": " + state(entry)
	case entry.Account != nil:
		return fmt.Sprintf("%d %s", entry.Account.Id, entry.Account.Code)
	case entry.Instrument != nil:
		return identifiers(entry.Instrument)
	case entry.Day != nil && entry.Kind == string(ledger.KindDayEnd):
		return fmt.Sprintf("%s: %d opened, %d settled, cut of %d rows", day(entry.Day.Date), entry.Day.Opened, entry.Day.Settled, entry.Day.CutRows)
	case entry.Day != nil:
		return fmt.Sprintf("%s, on the way to %s", day(entry.Day.Date), day(entry.Day.To))
	}
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(entry.Fields)) {
		fields = append(fields, name+"="+entry.Fields[name])
	}
	return strings.Join(fields, " ")
}

// parseAfter reads a sequence, or the sequence of a token.
func parseAfter(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	_, sequence, isToken := strings.Cut(text, ":")
	if !isToken {
		sequence = text
	}
	n, err := parseNumber(sequence)
	if err != nil {
		return 0, usageError("--after: %q is neither a sequence nor a token (shard:sequence)", text)
	}
	return n, nil
}

// number writes a number, and nothing for none.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// day writes 2013-10-07 for 20131007, and nothing for none.
func day(date int32) string { return ledger.Date(date).String() }

// seconds writes a duration for a person.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
