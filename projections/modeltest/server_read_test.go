package modeltest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/modeltest"
)

// read compares all reads at one time, after it has compared the journal's new entries.
func (s *server) read(r Read) error {
	if err := s.journal(); err != nil {
		return err
	}
	at, knownAt := modeltest.Time{AsOf: r.AsOf}, ""
	if r.Back >= 0 {
		at.KnownAt = max(s.model.Head-min(s.model.Head-1, uint64(r.Back)), 1)
		knownAt = fmt.Sprintf("0:%d", at.KnownAt)
		if r.Back%3 == 1 { // by the clock instead: all that was booked up to that entry's time
			moment := s.booked[at.KnownAt-1]
			for at.KnownAt < s.model.Head && !s.booked[at.KnownAt].After(moment) {
				at.KnownAt++
			}
			knownAt = moment.Format(time.RFC3339Nano)
		}
	}
	q := &asking{server: s, asOf: int32(at.AsOf), knownAt: knownAt, a: answers{}}
	reads := []string{readTrades, readPositions, readBalances, readStatement}
	ask := []func() error{q.trades, q.positions, q.balances, q.statements}
	if r.AsOf == 0 || r.Back <= 0 { // those that know no other time; the others often enough
		reads = append(reads, readStock, readCash, readCuts)
		ask = append(ask, q.stock, q.cash, q.cuts)
	}
	for i, read := range ask {
		if err := read(); err != nil {
			return fmt.Errorf("%s as of %d, known at %s: %w", reads[i], at.AsOf, knownAt, err)
		}
	}
	return s.count.compare(s.model, at, reads, q.a)
}

// journal compares the entries since it was last asked.
func (s *server) journal() error {
	for more := true; more; {
		page, err := got(s.Query.ListEntries(s.ctx, connect.NewRequest(&bkv1.ListEntriesRequest{FirstSequence: int64(len(s.booked)) + 1, AtLeast: s.token})))
		if err != nil {
			return err
		}
		for _, m := range page.Entries {
			e, rej := wire.EntryFrom(m)
			if rej != nil {
				return rej
			}
			s.booked = append(s.booked, e.BookedAt)
			if e.ID.Seq() != uint64(len(s.booked)) {
				return fmt.Errorf("the journal gives entry %d as number %d", e.ID, len(s.booked))
			}
			i := int(e.ID.Seq()) - 1 - int(s.model.Head) + len(s.model.Entries)
			if i < 0 {
				continue // a definition
			}
			if i >= len(s.model.Entries) {
				return fmt.Errorf("the journal has an entry %d %s, should end at %d", e.ID, e.Kind, s.model.Head)
			}
			if got, want := s.names.entryText(e), s.names.wantedText(s.model.Entries[i]); got != want {
				return fmt.Errorf("entry %d is\n\t          %s\n\tshould be %s", e.ID, got, want)
			}
		}
		more = page.NextPageToken != ""
		if more && len(page.Entries) == 0 {
			return errors.New("a page of the journal is empty and not the last")
		}
	}
	if uint64(len(s.booked)) != s.model.Head {
		return fmt.Errorf("the journal has %d entries, should have %d", len(s.booked), s.model.Head)
	}
	return nil
}

// asking puts all questions of one read.
type asking struct {
	*server
	asOf    int32
	knownAt string
	a       answers
}

// atLeast names the present, in either way.
func (q *asking) atLeast() string {
	if q.calls%2 == 0 {
		return "head"
	}
	return q.token
}

// pages asks page by page, with pages of different sizes.
func (q *asking) pages(page func(size *int32, token string) (next string, err error)) error {
	q.calls++
	size := []int32{1000, 3, 1, 7}[q.calls%4]
	if q.model.Head > 200 {
		size = []int32{1000, 200, 61, 97}[q.calls%4]
	}
	token := ""
	for n := 0; n < 10_000; n++ {
		next, err := page(&size, token)
		if err != nil || next == "" {
			return err
		}
		if next == token {
			return errors.New("the page token is the one before")
		}
		token = next
	}
	return errors.New("the pages don't end")
}

func (q *asking) trades() error {
	return q.pages(func(size *int32, token string) (string, error) {
		page, err := got(q.Query.ListTrades(q.ctx, connect.NewRequest(&bkv1.ListTradesRequest{
			PageSize: size, PageToken: token, AsOf: q.asOf, KnownAt: q.knownAt, AtLeast: q.atLeast()})))
		if err != nil {
			return "", err
		}
		for _, t := range page.Trades {
			enum := func(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }
			q.a.add(readTrades, fmt.Sprint(t.Id), "%s trade.%s %s %s>%s %s %s @ %s %s, gross %s, net %s, commission %s, sec %s, taf %s, accrued %s, %d, settles %d, "+
				"corrects %d, replaced by %d, opened %d, settled %d, street %t, canceled %d",
				enum(t.State.String(), "TRADE_STATE_"), enum(t.Type.String(), "TRADE_TYPE_"), enum(t.Direction.String(), "DIRECTION_"), t.AccountCode, t.TargetCode, t.Symbol,
				t.Quantity, t.Price, t.Currency, t.Gross, t.Net, t.Commission, t.SecFee, t.TafFee, t.Accrued, t.TradeDate, t.SettleDate, t.Corrects, t.ReplacedBy,
				t.OpenedBy, t.SettledBy, t.StreetSettled, t.CanceledBy)
		}
		return page.NextPageToken, nil
	})
}

func (q *asking) positions() error {
	return q.eachAccount(func(account *bkv1.AccountRef) error {
		return q.pages(func(size *int32, token string) (string, error) {
			page, err := got(q.Query.ListPositions(q.ctx, connect.NewRequest(&bkv1.ListPositionsRequest{
				PageSize: size, PageToken: token, Account: account, AsOf: q.asOf, KnownAt: q.knownAt, AtLeast: q.atLeast()})))
			if err != nil {
				return "", err
			}
			for _, p := range page.Positions {
				if !allZero(p.Unsettled, p.Settled, p.Cost, p.Realised, p.AverageCost, p.Long, p.Short, p.TradeDate) {
					q.a.add(readPositions, p.AccountCode+" "+p.Symbol+" "+p.Currency, "%s u, %s s, cost %s, average %s, realised %s",
						p.Unsettled, p.Settled, p.Cost, p.AverageCost, p.Realised)
				}
				if err := sides(p.Unsettled, p.Settled, p.TradeDate, p.Long, p.Short); err != nil {
					return "", fmt.Errorf("%s %s: %w", p.AccountCode, p.Symbol, err)
				}
			}
			return page.NextPageToken, nil
		})
	})
}

// sides checks the amounts that follow from others.
func sides(unsettled, settled, tradeDate, long, short string) error {
	net := ledger.MustAmount(unsettled).Add(ledger.MustAmount(settled))
	wantLong, wantShort := net, ledger.Amount{}
	if net.Sign() < 0 {
		wantLong, wantShort = ledger.Amount{}, net.Neg()
	}
	if tradeDate != net.String() || long != wantLong.String() || short != wantShort.String() {
		return fmt.Errorf("%s unsettled and %s settled are %s on trade date, %s long, %s short", unsettled, settled, tradeDate, long, short)
	}
	return nil
}

func allZero(amounts ...string) bool {
	for _, a := range amounts {
		if a != "0" {
			return false
		}
	}
	return true
}

// eachAccount asks about each account, or, where that is allowed, now and then about all at once.
func (q *asking) eachAccount(ask func(*bkv1.AccountRef) error) error {
	if q.calls++; q.asOf == 0 && q.knownAt == "" && q.calls%2 == 0 {
		return ask(nil)
	}
	for code := range q.model.Accounts {
		if err := ask(&bkv1.AccountRef{Code: code}); err != nil {
			return err
		}
	}
	return nil
}

func (q *asking) balances() error {
	return q.eachAccount(func(account *bkv1.AccountRef) error {
		return q.pages(func(size *int32, token string) (string, error) {
			page, err := got(q.Query.ListBalances(q.ctx, connect.NewRequest(&bkv1.ListBalancesRequest{
				PageSize: size, PageToken: token, Account: account, AsOf: q.asOf, KnownAt: q.knownAt, AtLeast: q.atLeast()})))
			if err != nil {
				return "", err
			}
			for _, b := range page.Balances {
				if !allZero(b.Unsettled, b.Settled) {
					q.a.add(readBalances, b.AccountCode+" "+b.Symbol, "%s u, %s s", b.Unsettled, b.Settled)
				}
			}
			return page.NextPageToken, nil
		})
	})
}

func (q *asking) statements() error {
	for code := range q.model.Accounts {
		var lines []*bkv1.StatementLine
		err := q.pages(func(size *int32, token string) (string, error) {
			page, err := got(q.Query.GetStatement(q.ctx, connect.NewRequest(&bkv1.GetStatementRequest{
				PageSize: size, PageToken: token, Account: &bkv1.AccountRef{Code: code}, AsOf: q.asOf, KnownAt: q.knownAt, AtLeast: q.atLeast()})))
			if err != nil {
				return "", err
			}
			lines = append(lines, page.Lines...)
			return page.NextPageToken, nil
		})
		if err != nil {
			return err
		}
		if err := q.lines(code, lines); err != nil {
			return err
		}
		if err := q.some(code, lines); err != nil {
			return err
		}
	}
	return nil
}

// some asks for the lines of some of an account's entries, and of some that don't touch it: they are the same as among all lines.
func (q *asking) some(account string, lines []*bkv1.StatementLine) error {
	if q.asOf != 0 {
		return nil // all lines or none
	}
	var entries []int64
	for id := int64(1 + q.calls%5); id <= int64(q.model.Head) && len(entries) < 1000; id += 1 + int64(q.calls%3) {
		entries = append(entries, id)
	}
	lines = slices.DeleteFunc(lines, func(l *bkv1.StatementLine) bool { return !slices.Contains(entries, l.EntryId) })
	var got []*bkv1.StatementLine
	err := q.pages(func(size *int32, token string) (string, error) {
		page, err := q.Query.GetStatement(q.ctx, connect.NewRequest(&bkv1.GetStatementRequest{
			PageSize: size, PageToken: token, Account: &bkv1.AccountRef{Code: account}, KnownAt: q.knownAt, AtLeast: q.atLeast(), Entries: entries}))
		if err != nil {
			return "", err
		}
		got = append(got, page.Msg.Lines...)
		return page.Msg.NextPageToken, nil
	})
	if err != nil {
		return err
	}
	if !slices.EqualFunc(got, lines, func(a, b *bkv1.StatementLine) bool { return proto.Equal(a, b) }) {
		return fmt.Errorf("%s, the lines of entries %v alone are\n\t%v\n\tshould be\n\t%v", account, entries, got, lines)
	}
	return nil
}

// lines puts an account's lines together by entry: what it had of an instrument after the last of them is what the model knows.
func (q *asking) lines(account string, lines []*bkv1.StatementLine) error {
	holdings := map[string]map[string]ledger.Amount{} // by instrument and bucket, added up here
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && lines[n].Sequence == lines[0].Sequence {
			n++
		}
		entry := lines[:n]
		lines = lines[n:]
		var postings, after []string
		touched := map[string]bool{}
		for _, l := range entry {
			bucket := map[bkv1.Bucket]string{bkv1.Bucket_BUCKET_UNSETTLED: "u", bkv1.Bucket_BUCKET_SETTLED: "s"}[l.Bucket]
			postings = append(postings, lineText(l.Symbol, bucket, l.Quantity))
			if holdings[l.Symbol] == nil {
				holdings[l.Symbol] = map[string]ledger.Amount{}
			}
			h := holdings[l.Symbol]
			h[bucket] = h[bucket].Add(ledger.MustAmount(l.Quantity))
			if l.Balance != h[bucket].String() || l.TradeDateBalance != h["u"].Add(h["s"]).String() {
				return fmt.Errorf("%s, entry %d: the line of %s %s has the balance %s and %s, should be %s and %s",
					account, l.Sequence, l.Quantity, l.Symbol, l.Balance, l.TradeDateBalance, h[bucket], h["u"].Add(h["s"]))
			}
			touched[l.Symbol] = true
		}
		for symbol := range touched {
			if h := holdings[symbol]; !h["u"].IsZero() || !h["s"].IsZero() {
				after = append(after, afterText(symbol, h["u"].String(), h["s"].String()))
			}
		}
		q.a.add(readStatement, fmt.Sprintf("%s %d", account, entry[0].Sequence), "%s", entryLines(entry[0].Kind, int(entry[0].EffectiveDate), postings, after))
	}
	return nil
}

func (q *asking) stock() error {
	err := q.pages(func(size *int32, token string) (string, error) {
		page, err := got(q.Query.ListStockRecords(q.ctx, connect.NewRequest(&bkv1.ListStockRecordsRequest{PageSize: size, PageToken: token, AtLeast: q.atLeast()})))
		if err != nil {
			return "", err
		}
		for _, t := range page.Totals {
			if t.Difference != "0" {
				return "", fmt.Errorf("%s: a difference of %s", t.Symbol, t.Difference)
			}
			elsewhere, located := ledger.Amount{}, ledger.Amount{}
			for _, k := range t.Kinds {
				net := ledger.MustAmount(k.Long).Sub(ledger.MustAmount(k.Short))
				switch k.AccountKind {
				case bkv1.AccountKind_ACCOUNT_KIND_CUSTOMER, bkv1.AccountKind_ACCOUNT_KIND_FIRM:
				case bkv1.AccountKind_ACCOUNT_KIND_STREET, bkv1.AccountKind_ACCOUNT_KIND_LOCATION:
					located = located.Add(net)
					fallthrough
				default:
					elsewhere = elsewhere.Add(net)
				}
			}
			if t.Located != located.String() {
				return "", fmt.Errorf("%s: %s located, its kinds have %s", t.Symbol, t.Located, located)
			}
			if !allZero(t.Long, t.Short, elsewhere.String()) {
				q.a.add(readStock, t.Symbol, "long %s, short %s, elsewhere %s", t.Long, ledger.MustAmount(t.Short).Neg(), elsewhere)
			}
		}
		return page.NextPageToken, nil
	})
	for _, ticker := range tickers {
		if err != nil {
			return err
		}
		err = q.pages(func(size *int32, token string) (string, error) {
			page, err := got(q.Query.GetStockRecord(q.ctx, connect.NewRequest(&bkv1.GetStockRecordRequest{
				PageSize: size, PageToken: token, Instrument: wire.Identifier(identifier(ticker)), AtLeast: q.atLeast()})))
			if err != nil {
				return "", err
			}
			for _, r := range page.Rows {
				if !allZero(r.Unsettled, r.Settled) {
					q.a.add(readStock, ticker+" "+r.AccountCode, "%s u, %s s", r.Unsettled, r.Settled)
				}
			}
			return page.NextPageToken, nil
		})
	}
	return err
}

func (q *asking) cash() error {
	return q.pages(func(size *int32, token string) (string, error) {
		page, err := got(q.Query.ListCash(q.ctx, connect.NewRequest(&bkv1.ListCashRequest{PageSize: size, PageToken: token, AtLeast: q.atLeast()})))
		if err != nil {
			return "", err
		}
		for _, c := range page.Cash {
			if c.TradeDate != ledger.MustAmount(c.Settled).Add(ledger.MustAmount(c.Unsettled)).String() {
				return "", fmt.Errorf("%s %s: %s settled and %s unsettled are %s", c.AccountCode, c.Currency, c.Settled, c.Unsettled, c.TradeDate)
			}
			var debits, credits ledger.Amount
			for _, d := range c.Dates {
				if !allZero(d.Debits, d.Credits) {
					q.a.add(readCash, fmt.Sprintf("%s %s %d", c.AccountCode, c.Currency, d.SettleDate), "debits %s, credits %s", d.Debits, d.Credits)
				}
				debits, credits = debits.Add(ledger.MustAmount(d.Debits)), credits.Add(ledger.MustAmount(d.Credits))
			}
			if c.Debits != debits.String() || c.Credits != credits.String() {
				return "", fmt.Errorf("%s %s: %s debits and %s credits, the dates have %s and %s", c.AccountCode, c.Currency, c.Debits, c.Credits, debits, credits)
			}
			if !allZero(c.Settled, c.Unsettled) {
				q.a.add(readCash, c.AccountCode+" "+c.Currency, "%s u, %s s", c.Unsettled, c.Settled)
			}
		}
		return page.NextPageToken, nil
	})
}

func (q *asking) cuts() error {
	var days []int32
	err := q.pages(func(size *int32, token string) (string, error) {
		page, err := got(q.Query.ListCuts(q.ctx, connect.NewRequest(&bkv1.ListCutsRequest{PageSize: size, PageToken: token, AtLeast: q.atLeast()})))
		if err != nil {
			return "", err
		}
		for _, c := range page.Cuts {
			days = append(days, c.Date)
			q.a.add(readCuts, fmt.Sprint(c.Date), "entries %s to %s, %d rows, %s", strings.TrimPrefix(c.BeginToken, "0:"), strings.TrimPrefix(c.Token, "0:"), c.Rows, c.Hash)
		}
		return page.NextPageToken, nil
	})
	for _, day := range days {
		if err != nil {
			return err
		}
		err = q.pages(func(size *int32, token string) (string, error) {
			page, err := got(q.Query.ListCutRows(q.ctx, connect.NewRequest(&bkv1.ListCutRowsRequest{PageSize: size, PageToken: token, Date: day, AtLeast: q.atLeast()})))
			if err != nil {
				return "", err
			}
			for _, r := range page.Rows {
				q.a.add(readCuts, fmt.Sprintf("%d %s %s", day, r.AccountCode, r.Symbol), "%s u, %s s", r.Unsettled, r.Settled)
			}
			return page.NextPageToken, nil
		})
	}
	return err
}

// verify lets the server prove its books: the journal, and every projection against a fold of its own.
func (s *server) verify() error {
	stream, err := s.Admin.Verify(s.ctx, connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		return err
	}
	ended := false
	for stream.Receive() {
		if r := stream.Msg().GetSummary(); r != nil {
			ended = true
			if !r.Ok {
				return fmt.Errorf("verify: %v", r)
			}
		}
	}
	if err := stream.Err(); err != nil || !ended {
		return fmt.Errorf("verify ended early: %w", err)
	}
	return nil
}
