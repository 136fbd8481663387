package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/shadow"
)

// LedgersMatch holds where Bank and BK say the same, to the last digit.
type LedgersMatch struct {
	Quick    bool          `yaml:"quick" json:"quick"`       // without trades one by one, and lists of other days than today
	Accounts []int64       `yaml:"accounts" json:"accounts"` // these alone; all if left out
	Wait     time.Duration `yaml:"wait" json:"wait"`         // how long what differs is looked at again; 10 s if left out
	Parallel int           `yaml:"parallel" json:"parallel"` // calls at once to each system; 8 if left out
}

func (*LedgersMatch) needs() []need {
	return []need{needBank, needBK, needDatabase(FacadeDatabase)}
}

func (l *LedgersMatch) validate() (errs []error) {
	if l.Wait < 0 || l.Wait > time.Hour {
		errs = append(errs, fmt.Errorf("wait: %s is not between 0s and 1h", l.Wait))
	}
	if l.Parallel < 0 || l.Parallel > 64 {
		errs = append(errs, fmt.Errorf("parallel: %d is not between 1 and 64", l.Parallel))
	}
	for _, a := range l.Accounts {
		if a < 1 {
			errs = append(errs, fmt.Errorf("accounts: %d is none", a))
		}
	}
	return errs
}

func (l *LedgersMatch) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	view, err := facade.OpenView(ctx, t.BK, t.Databases[FacadeDatabase], t.log())
	if err != nil {
		return nil, "", err
	}
	defer view.Close()
	told := shadow.Comparison{
		Left: shadow.System{Name: "Bank", API: t.Bank, Operations: t.BankOperations, Key: t.BankKey}, Right: shadow.System{Name: "BK", Serves: view},
		All: !l.Quick, Parallel: l.Parallel, Wait: l.Wait, Keep: 20,
	}
	if told.Parallel == 0 {
		told.Parallel = 8
	}
	if told.Wait == 0 {
		told.Wait = 10 * time.Second
	}
	for _, a := range l.Accounts {
		told.Accounts = append(told.Accounts, bank.ID(a))
	}
	found, err := shadow.Compare(ctx, told)
	if err != nil {
		return nil, "", err
	}
	if switched, err := view.Switched(ctx); err != nil || switched {
		return nil, "", fmt.Errorf("the façade has switched meanwhile, or does not say: %w", err)
	}
	f := Figures{"differing": found.Differing, "mode": view.Epoch().Mode}
	compared := 0
	for kind, n := range found.Counts {
		f["compared "+kind] = n
		compared += n
	}
	f["compared"] = compared
	if found.Differing > 0 {
		why := fmt.Sprintf("%d differ", found.Differing)
		for _, d := range found.Differences[:min(len(found.Differences), 5)] {
			why += fmt.Sprintf("; account %d, %s %s: %.200s and %.200s", d.Account, d.Kind, d.What, d.Left, d.Right)
		}
		return f, why, nil
	}
	return f, "", nil
}
