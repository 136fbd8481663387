package front

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bkledger/bk/compat/bank"
)

// The number of rows on a page.
const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// page says which part of a list is asked for. A token is the cursor behind a mark of the list that it belongs to, so that it fits no other; it
// holds nothing secret, and is good on every server and as long as the rows are.
type page struct {
	size   int
	mark   [8]byte
	cursor string // "" at the beginning
}

// page reads the query. filters are whatever else chooses the list's rows.
func (c *call) page(filters ...string) (page, error) {
	p := page{size: defaultPageSize}
	if text := c.query.Get("page_size"); text != "" {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || size > maxPageSize {
			return p, bank.Errorf(bank.MalformedRequest, "page_size: %q is not 1 to %d", text, maxPageSize)
		}
		p.size = size
	}
	sum := sha256.Sum256([]byte(c.route + "\n" + strings.Join(filters, "\n")))
	copy(p.mark[:], sum[:])
	token := c.query.Get("page_token")
	if token == "" {
		return p, nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(decoded) <= len(p.mark) || string(decoded[:len(p.mark)]) != string(p.mark[:]) || !utf8.Valid(decoded[len(p.mark):]) {
		return p, badToken()
	}
	p.cursor = string(decoded[len(p.mark):])
	if !storable(p.cursor) {
		return p, badToken()
	}
	return p, nil
}

func badToken() error {
	return bank.Errorf(bank.MalformedRequest, "page_token: is not one that this list gave")
}

func (p page) token(cursor string) string {
	return base64.RawURLEncoding.EncodeToString(append(p.mark[:], cursor...))
}

// after reads a cursor that is an id.
func (p page) after() (bank.ID, error) {
	if p.cursor == "" {
		return 0, nil
	}
	id, err := bank.ParseID(p.cursor)
	if err != nil {
		return 0, badToken()
	}
	return id, nil
}

// tradeWalk is the cursor of a walk over an account's trades.
type tradeWalk struct {
	date  bank.Date
	after bank.ID
}

func (w tradeWalk) cursor() string { return w.date.String() + "/" + w.after.String() }

func (p page) tradeWalk() (tradeWalk, error) {
	if p.cursor == "" {
		return tradeWalk{}, nil
	}
	day, after, _ := strings.Cut(p.cursor, "/")
	date, err := bank.ParseDate(day)
	if err != nil {
		return tradeWalk{}, badToken()
	}
	id, err := bank.ParseID(after)
	if err != nil {
		return tradeWalk{}, badToken()
	}
	return tradeWalk{date, id}, nil
}

// answerPage gives the rows of a page, of which one more than its size was asked for to know whether there is another page.
func answerPage[T any](p page, rows []T, cursor func(last T) string) answer {
	answered := bank.List[T]{Data: rows}
	if len(rows) > p.size {
		answered.Data = rows[:p.size]
		answered.Next = p.token(cursor(rows[p.size-1]))
	}
	if answered.Data == nil {
		answered.Data = []T{}
	}
	return answer{http.StatusOK, answered}
}
