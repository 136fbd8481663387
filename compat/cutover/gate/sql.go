package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQL is a query whose answer must be as expected.
type SQL struct {
	Database  string     `yaml:"database" json:"database"`   // of the targets
	Statement string     `yaml:"statement" json:"statement"` // only reads: the server sees to that
	Expect    [][]string `yaml:"expect" json:"expect"`       // rows, as Postgres writes their values; null is ""
}

func (s *SQL) needs() []need { return []need{needDatabase(s.Database)} }

func (s *SQL) validate() (errs []error) {
	if s.Database == "" {
		errs = append(errs, errors.New("database: needed"))
	}
	if strings.TrimSpace(s.Statement) == "" {
		errs = append(errs, errors.New("statement: needed"))
	}
	if s.Expect == nil {
		errs = append(errs, errors.New("expect: needed: rows of values, [] for none"))
	}
	return errs
}

func (s *SQL) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	a, err := t.Query(ctx, s.Database, s.Statement, true)
	if err != nil {
		return nil, "", err
	}
	f := Figures{"rows": a.Rows, "tag": a.Tag}
	return f, Unexpected(a, s.Expect), nil
}

// MaxRows and MaxCell bound what is kept of a statement's answer.
const (
	MaxRows = 100
	MaxCell = 4000 // bytes
)

// Answer is what a statement gave: its last result, if it was several.
type Answer struct {
	Rows  [][]string `json:"rows"` // at most MaxRows, values cut to MaxCell
	Count int        `json:"count"`
	Tag   string     `json:"tag"` // as UPDATE 3
}

// Unexpected says how an answer differs from what was expected; "" if it does not.
func Unexpected(a Answer, expect [][]string) string {
	if a.Count == len(expect) && slices.EqualFunc(a.Rows, expect[:min(len(expect), MaxRows)], slices.Equal) {
		return ""
	}
	return fmt.Sprintf("the answer is %d rows %v, and should be %v", a.Count, a.Rows[:min(len(a.Rows), 5)], expect[:min(len(expect), 5)])
}

// Connect opens a connection to a database of the targets. Where it is only to read, the server sees to that.
func (t *Targets) Connect(ctx context.Context, database string, reads bool) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(t.Databases[database])
	if err != nil {
		return nil, fmt.Errorf("targets.databases.%s: it is no DSN", database)
	}
	config.RuntimeParams["application_name"] = "hotswap-cutover"
	if reads {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", database, err)
	}
	return conn, nil
}

// Query runs statements in one transaction of a database of the targets.
func (t *Targets) Query(ctx context.Context, database, statement string, reads bool) (a Answer, err error) {
	conn, err := t.Connect(ctx, database, reads)
	if err != nil {
		return a, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what was asked is there
	begin := "BEGIN"
	if reads {
		begin = "BEGIN READ ONLY"
	}
	if _, err := conn.Exec(ctx, begin); err != nil {
		return a, fmt.Errorf("database %s: %w", database, err)
	}
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	if err == nil && len(results) > 0 {
		a = answer(results[len(results)-1])
	}
	if err == nil {
		_, err = conn.Exec(ctx, "COMMIT")
	}
	if err != nil {
		return a, fmt.Errorf("database %s: %w", database, err)
	}
	return a, nil
}

func answer(r *pgconn.Result) Answer {
	a := Answer{Rows: [][]string{}, Count: len(r.Rows), Tag: r.CommandTag.String()}
	for _, row := range r.Rows[:min(len(r.Rows), MaxRows)] {
		values := make([]string, len(row))
		for i, v := range row {
			values[i] = strings.ToValidUTF8(string(v[:min(len(v), MaxCell)]), "")
		}
		a.Rows = append(a.Rows, values)
	}
	return a
}
