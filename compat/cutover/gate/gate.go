package gate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Gate is one of the kinds, as a runbook has it. Exactly one of the pointers is set.
type Gate struct {
	// After names a step of the runbook whose effect the gate looks at. In a dry run, in which that step did nothing, it is measured all the same, and need not hold.
	After string `yaml:"after" json:"after,omitempty"`
	// Within is how long it is measured again and again until it holds; 0: once.
	Within time.Duration `yaml:"within" json:"within,omitempty"`

	ReplicationLag *ReplicationLag `yaml:"replication-lag" json:"replication-lag,omitempty"`
	StreamLag      *StreamLag      `yaml:"stream-lag" json:"stream-lag,omitempty"`
	QueuesDrained  *QueuesDrained  `yaml:"queues-drained" json:"queues-drained,omitempty"`
	NoneBlocked    *NoneBlocked    `yaml:"none-blocked" json:"none-blocked,omitempty"`
	NoUpload       *NoUpload       `yaml:"no-upload" json:"no-upload,omitempty"`
	Sequences      *Sequences      `yaml:"sequences" json:"sequences,omitempty"`
	LedgersMatch   *LedgersMatch   `yaml:"ledgers-match" json:"ledgers-match,omitempty"`
	TradesInPlace  *TradesInPlace  `yaml:"trades-in-place" json:"trades-in-place,omitempty"`
	ParityClean    *ParityClean    `yaml:"parity-clean" json:"parity-clean,omitempty"`
	Disk           *Disk           `yaml:"disk" json:"disk,omitempty"`
	Connections    *Connections    `yaml:"connections" json:"connections,omitempty"`
	Ready          *Ready          `yaml:"ready" json:"ready,omitempty"`
	Mode           *InMode         `yaml:"mode" json:"mode,omitempty"`
	SQL            *SQL            `yaml:"sql" json:"sql,omitempty"`
}

// Figures are what was measured, by name: numbers, texts, lists of either.
type Figures map[string]any

// kind is what each pointer of a Gate is.
type kind interface {
	// validate gives what is wrong with the parameters, each error beginning with a field's name; needs: what has to be among the targets.
	validate() []error
	needs() []need
	// measure gives why the gate does not hold, "" if it does. An error says that it could not be found out; figures may be there all the same.
	measure(ctx context.Context, t *Targets) (f Figures, why string, err error)
}

// kind gives the gate's kind and its name.
func (g *Gate) kind() (k kind, name string, err error) {
	v := reflect.ValueOf(g).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if field.Kind() != reflect.Pointer || field.IsNil() {
			continue
		}
		if k != nil {
			return nil, "", fmt.Errorf("both %s and %s: a gate is of one kind", name, v.Type().Field(i).Tag.Get("yaml"))
		}
		k, _ = field.Interface().(kind)
		name = v.Type().Field(i).Tag.Get("yaml")
	}
	if k == nil {
		return nil, "", fmt.Errorf("no kind is given: one of %s (without parameters: {})", strings.Join(Kinds(), ", "))
	}
	return k, name, nil
}

// Kinds gives the names of all kinds.
func Kinds() (names []string) {
	t := reflect.TypeFor[Gate]()
	for i := range t.NumField() {
		if t.Field(i).Type.Kind() == reflect.Pointer {
			names = append(names, t.Field(i).Tag.Get("yaml"))
		}
	}
	return names
}

// Name gives the kind's name, "" if there is none.
func (g *Gate) Name() string {
	_, name, _ := g.kind()
	return name
}

// Validate reports everything that is wrong with the gate, and what it needs and the targets lack. Each error begins with the name of a field.
func (g *Gate) Validate(t *Targets) []error {
	k, name, err := g.kind()
	if err != nil {
		return []error{err}
	}
	var errs []error
	if g.Within < 0 || g.Within > 24*time.Hour {
		errs = append(errs, fmt.Errorf("within: %s is not between 0s and 24h", g.Within))
	}
	for _, err := range k.validate() {
		errs = append(errs, fmt.Errorf("%s.%w", name, err))
	}
	for _, n := range k.needs() {
		if why := t.lacks(n); why != "" {
			errs = append(errs, fmt.Errorf("%s: it needs %s", name, why))
		}
	}
	return errs
}

// Reading is what a gate said.
type Reading struct {
	Gate    string  `json:"gate"`
	Holds   bool    `json:"holds"`
	Why     string  `json:"why,omitempty"`    // it does not
	Failed  bool    `json:"failed,omitempty"` // it could not be measured
	Figures Figures `json:"figures,omitempty"`
	Asked   *Gate   `json:"asked"`
	Tries   int     `json:"tries"`
	Seconds float64 `json:"seconds"` // all tries
}

const (
	again  = time.Second // between two tries
	maxWhy = 2000        // bytes of a reason
	oneTry = 10 * time.Minute
)

// Measure measures the gate, until it holds or Within is over. It ends early when ctx does; the reading says so.
func (g *Gate) Measure(ctx context.Context, t *Targets) Reading {
	r := Reading{Gate: g.Name(), Asked: g}
	began := time.Now()
	for {
		r.Tries++
		g.try(ctx, t, &r)
		if r.Holds || ctx.Err() != nil || time.Since(began) >= g.Within {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(again, g.Within-time.Since(began))):
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r
}

func (g *Gate) try(ctx context.Context, t *Targets, r *Reading) {
	ctx, cancel := context.WithTimeout(ctx, oneTry)
	defer cancel()
	k, _, err := g.kind()
	if err == nil {
		r.Figures, r.Why, err = k.measure(ctx, t)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
		r.Why = "it can't be found out: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if len(r.Why) > maxWhy {
		r.Why = strings.ToValidUTF8(r.Why[:maxWhy], "") + "..."
	}
	r.Failed, r.Holds = err != nil, r.Why == ""
}

// reasons joins what is wrong.
func reasons(all []string) string { return strings.Join(all, "; ") }
