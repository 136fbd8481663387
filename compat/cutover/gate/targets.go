package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Targets are the systems that a cutover is about. What is left out can't be asked: a gate that needs it is an error of the runbook.
type Targets struct {
	Bank           string            `yaml:"bank"`            // URL of Bank's API
	BankOperations string            `yaml:"bank-operations"` // URL of its operations
	BankKey        string            `yaml:"bank-key"`        // shown to Bank; "": none
	BK             string            `yaml:"bk"`              // URL of BK
	Facade         string            `yaml:"facade"`          // URL of the admin listener of any replica of the façade
	Streams        []string          `yaml:"streams"`         // URLs of the admin listeners of the stream's instances; one may be several with commas between
	Databases      map[string]string `yaml:"databases"`       // DSNs by name. Gates know: bank, facade, bk

	Log *slog.Logger `yaml:"-"` // of what gates use; none if nil
}

// The databases that gates know by their name.
const (
	BankDatabase   = "bank"
	FacadeDatabase = "facade"
)

// need is something that a gate asks.
type need string

const (
	needBank       need = "bank"
	needOperations need = "bank-operations"
	needBK         need = "bk"
	needFacade     need = "facade"
	needStreams    need = "streams"
)

func needDatabase(name string) need { return need("databases." + name) }

// lacks names a need that isn't there; "" if it is.
func (t *Targets) lacks(n need) string {
	there := false
	switch n {
	case needBank:
		there = t.Bank != ""
	case needOperations:
		there = t.BankOperations != ""
	case needBK:
		there = t.BK != ""
	case needFacade:
		there = t.Facade != ""
	case needStreams:
		there = len(t.streams()) > 0
	default:
		name, _ := strings.CutPrefix(string(n), "databases.")
		there = t.Databases[name] != ""
	}
	if there {
		return ""
	}
	return "targets." + string(n)
}

func (t *Targets) streams() (all []string) {
	for _, text := range t.Streams {
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
	}
	return all
}

// Validate reports everything that is wrong, each error beginning with a field's name.
func (t *Targets) Validate() []error {
	var errs []error
	check := func(field, text string) {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			errs = append(errs, fmt.Errorf("%s: %q is no URL such as http://127.0.0.1:8080", field, text))
		}
	}
	check("bank", t.Bank)
	check("bank-operations", t.BankOperations)
	check("bk", t.BK)
	check("facade", t.Facade)
	for _, s := range t.streams() {
		check("streams", s)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Databases)) {
		if _, err := pgxpool.ParseConfig(t.Databases[name]); err != nil {
			errs = append(errs, fmt.Errorf("databases.%s: it is no DSN", name)) // the parser's words may have it
		}
	}
	return errs
}

// Secrets gives the texts that must not be shown: DSNs with a password, the passwords, the key.
func (t *Targets) Secrets() (all []string) {
	for _, dsn := range t.Databases {
		if config, err := pgxpool.ParseConfig(dsn); err == nil && config.ConnConfig.Password != "" {
			all = append(all, dsn, config.ConnConfig.Password, url.QueryEscape(config.ConnConfig.Password), url.PathEscape(config.ConnConfig.Password))
		}
	}
	if t.BankKey != "" {
		all = append(all, t.BankKey)
	}
	return all
}

// Public tells where everything is, without secrets: for the record, and to tell two sets of targets apart.
func (t *Targets) Public() map[string]string {
	out := map[string]string{}
	for name, text := range map[string]string{"bank": t.Bank, "bank-operations": t.BankOperations, "bk": t.BK, "facade": t.Facade, "streams": strings.Join(t.streams(), ",")} {
		if text == "" {
			continue
		}
		if u, err := url.Parse(text); err == nil && u.User != nil {
			text = u.Redacted()
		}
		out[name] = text
	}
	for name, dsn := range t.Databases {
		config, err := pgxpool.ParseConfig(dsn)
		if err != nil || dsn == "" {
			continue
		}
		c := config.ConnConfig
		out["databases."+name] = fmt.Sprintf("%s@%s:%d/%s", c.User, c.Host, c.Port, c.Database)
	}
	return out
}

func (t *Targets) log() *slog.Logger {
	if t.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.Log
}

const (
	askTimeout = 15 * time.Second // of a question to an admin listener
	maxAnswer  = 64 << 20         // bytes of its answer
)

// ErrUnavailable is in the chain of an error of a listener that gave no answer.
var ErrUnavailable = errors.New("there is no answer")

// Ask asks an admin listener and reads its JSON into out. whatever: any status is fine, as a readiness has more to say than its status.
func Ask(ctx context.Context, base, path string, whatever bool, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", base, err)
	}
	answer, err := http.DefaultClient.Do(asked)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w: %s%s: %w", ErrUnavailable, base, path, err)
	}
	if answer.StatusCode != http.StatusOK && !whatever {
		return fmt.Errorf("GET %s%s: %s: %.300s", base, path, answer.Status, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("GET %s%s: the answer can't be read: %w", base, path, err)
	}
	return nil
}
