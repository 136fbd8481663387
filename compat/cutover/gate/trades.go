package gate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// TradesInPlace holds where both systems have as many trades in each state, of each trade date, that settle on each day. One system is always a little behind the other: while clients write, what
// was counted at both since the gate began to look has to overlap; when nobody writes it is the same number.
type TradesInPlace struct {
	States []string      `yaml:"states" json:"states"` // of new, open, settled and canceled; new and open if left out: what has still to happen
	Max    int           `yaml:"max" json:"max"`       // trades that are counted one by one at BK; 1,000,000 if left out, an error above
	Wait   time.Duration `yaml:"wait" json:"wait"`     // how long what differs is counted again; 10 s if left out
}

// tradeStates are Bank's states as BK names them.
var tradeStates = map[string]bkv1.TradeState{
	"new": bkv1.TradeState_TRADE_STATE_NEW, "open": bkv1.TradeState_TRADE_STATE_OPEN, "settled": bkv1.TradeState_TRADE_STATE_SETTLED, "canceled": bkv1.TradeState_TRADE_STATE_CANCELED,
}

func (*TradesInPlace) needs() []need { return []need{needBK, needDatabase(BankDatabase)} }

func (p *TradesInPlace) validate() (errs []error) {
	for _, s := range p.States {
		if _, ok := tradeStates[s]; !ok {
			errs = append(errs, fmt.Errorf("states: %q is none of new, open, settled, canceled", s))
		}
	}
	if p.Max < 0 {
		errs = append(errs, fmt.Errorf("max: %d is below 0", p.Max))
	}
	if p.Wait < 0 || p.Wait > time.Hour {
		errs = append(errs, fmt.Errorf("wait: %s is not between 0s and 1h", p.Wait))
	}
	return errs
}

// spot is where a trade is.
type spot struct {
	State         string
	Trade, Settle int32
}

func (s spot) String() string {
	return fmt.Sprintf("%s, of %d, settling %d", s.State, s.Trade, s.Settle)
}

// counted is what was counted of a spot, in all looks: the least and the most, and the last.
type counted struct{ least, most, last int64 }

// side is a system's spots.
type side map[spot]counted

// take takes a look into account; what is not in it is 0.
func (c side) take(look map[spot]int64, first bool) {
	for s := range c {
		if _, ok := look[s]; !ok {
			look[s] = 0
		}
	}
	for s, n := range look {
		was, ok := c[s]
		if !ok {
			was = counted{least: n, most: n}
			if !first { // it was not there before
				was.least = 0
			}
		}
		c[s] = counted{min(was.least, n), max(was.most, n), n}
	}
}

func (p *TradesInPlace) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	states, wait := p.States, p.Wait
	if len(states) == 0 {
		states = []string{"new", "open"}
	}
	if wait == 0 {
		wait = 10 * time.Second
	}
	atBank, atBK := side{}, side{}
	for began, looks := time.Now(), 1; ; looks++ {
		for of, count := range map[*side]func(context.Context, *Targets, []string) (map[spot]int64, error){&atBank: p.ofBank, &atBK: p.ofBK} {
			look, err := count(ctx, t, states)
			if err != nil {
				return nil, "", err
			}
			of.take(look, looks == 1)
		}
		f, wrong := places(states, atBank, atBK)
		f["looks"] = looks
		if len(wrong) == 0 || time.Since(began) >= wait {
			if more := len(wrong) - 20; more > 0 {
				wrong = append(wrong[:20], fmt.Sprintf("and %d more", more))
			}
			return f, reasons(wrong), nil
		}
		select {
		case <-ctx.Done():
			return f, "", context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// places holds both sides against each other.
func places(states []string, atBank, atBK side) (f Figures, wrong []string) {
	all := map[spot]bool{}
	totals := map[string]int64{}
	for s, c := range atBank {
		all[s] = true
		totals["bank_"+s.State] += c.last
	}
	for s, c := range atBK {
		all[s] = true
		totals["bk_"+s.State] += c.last
	}
	for _, s := range slices.SortedFunc(maps.Keys(all), func(a, b spot) int { return strings.Compare(a.String(), b.String()) }) {
		if a, b := atBank[s], atBK[s]; a.least > b.most || b.least > a.most {
			wrong = append(wrong, fmt.Sprintf("%s: %d at Bank, %d at BK", s, a.last, b.last))
		}
	}
	f = Figures{"places": len(all)}
	for _, s := range states {
		f["bank_"+s], f["bk_"+s] = totals["bank_"+s], totals["bk_"+s]
	}
	return f, wrong
}

// ofBank counts Bank's trades in the states.
func (p *TradesInPlace) ofBank(ctx context.Context, t *Targets, states []string) (map[spot]int64, error) {
	conn, err := t.Connect(ctx, BankDatabase, true)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
	rows, err := conn.Query(ctx, `SELECT state, trade_date, settle_date, count(*) FROM bank.trade WHERE state = ANY ($1) GROUP BY 1, 2, 3`, states)
	if err != nil {
		return nil, fmt.Errorf("Bank's trades: %w", err)
	}
	defer rows.Close()
	counts := map[spot]int64{}
	for rows.Next() {
		var s spot
		var n int64
		if err := rows.Scan(&s.State, &s.Trade, &s.Settle, &n); err != nil {
			return nil, fmt.Errorf("Bank's trades: %w", err)
		}
		counts[s] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("Bank's trades: %w", err)
	}
	return counts, nil
}

// ofBK counts BK's trades in the states, as of one place of its journal.
func (p *TradesInPlace) ofBK(ctx context.Context, t *Targets, states []string) (map[spot]int64, error) {
	bk, err := client.New(t.BK)
	if err != nil {
		return nil, fmt.Errorf("BK: %w", err)
	}
	defer bk.Close()
	most := p.Max
	if most == 0 {
		most = 1_000_000
	}
	now, err := bk.Query.GetBusinessDate(ctx, connect.NewRequest(&bkv1.GetBusinessDateRequest{AtLeast: "head"}))
	if err != nil {
		return nil, fmt.Errorf("BK's place: %w", err)
	}
	q := &bkv1.ListTradesRequest{PageSize: new(int32(1000)), KnownAt: now.Msg.Token}
	names := map[bkv1.TradeState]string{}
	for _, s := range states {
		q.States = append(q.States, tradeStates[s])
		names[tradeStates[s]] = s
	}
	counts := map[spot]int64{}
	for seen := 0; ; {
		answer, err := bk.Query.ListTrades(ctx, connect.NewRequest(q))
		if err != nil {
			return nil, fmt.Errorf("BK's trades: %w", err)
		}
		for _, trade := range answer.Msg.Trades {
			counts[spot{names[trade.State], trade.TradeDate, trade.SettleDate}]++
		}
		if seen += len(answer.Msg.Trades); seen > most {
			return nil, fmt.Errorf("BK has more than %d such trades: raise max, or count fewer states", most)
		}
		if q.PageToken = answer.Msg.NextPageToken; q.PageToken == "" {
			return counts, nil
		}
	}
}
