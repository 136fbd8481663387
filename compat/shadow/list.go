package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/bkledger/bk/compat/bank"
)

// pageSize is that of all lists: what is in memory of a list is two pages of each system.
const pageSize = 1000

// page is a page of a list.
type page struct {
	Data []json.RawMessage `json:"data"`
	Next string            `json:"next_page_token"`

	err error
}

// rows walks along a list of a system, page by page. The next page is read while one is looked at, until the context of the list ends.
type rows struct {
	from   *caller
	path   string // with "?" or "&" at its end
	page   []json.RawMessage
	coming chan page // nil: there is none
}

func listOf(ctx context.Context, from *caller, path string) *rows {
	r := &rows{from: from, path: path + "?"}
	if strings.Contains(path, "?") {
		r.path = path + "&"
	}
	r.fetch(ctx, "")
	return r
}

// fetch begins to read a page.
func (r *rows) fetch(ctx context.Context, token string) {
	coming := make(chan page, 1)
	r.coming = coming
	go func() {
		var p page
		path := fmt.Sprintf("%spage_size=%d", r.path, pageSize)
		if token != "" {
			path += "&page_token=" + url.QueryEscape(token)
		}
		p.err = r.from.read(ctx, path, &p)
		if p.err == nil && p.Next != "" && (len(p.Data) == 0 || p.Next == token) {
			p.err = fmt.Errorf("%s: GET %s: the list does not go on", r.from.system.Name, path)
		}
		coming <- p
	}()
}

// next gives the next row; nil behind the last.
func (r *rows) next(ctx context.Context) (json.RawMessage, error) {
	for len(r.page) == 0 {
		if r.coming == nil {
			return nil, nil
		}
		p := <-r.coming
		if p.err != nil {
			return nil, p.err
		}
		r.page, r.coming = p.Data, nil
		if p.Next != "" {
			r.fetch(ctx, p.Next)
		}
	}
	row := r.page[0]
	r.page = r.page[1:]
	return row, nil
}

// keyed is a list whose rows have a key; ids are ordered as numbers, all else by bytes.
type keyed struct {
	*rows
	key  string
	row  obj // nil behind the last
	text string
}

func (k *keyed) step(ctx context.Context) error {
	raw, err := k.next(ctx)
	k.row = nil
	if err != nil || raw == nil {
		return err
	}
	if err := decode(raw, &k.row); err != nil {
		return fmt.Errorf("%s: GET %s: %w in %s", k.from.system.Name, k.path, err, raw)
	}
	k.text = fmt.Sprint(k.row[k.key])
	return nil
}

func less(key, a, b string) bool {
	if strings.HasSuffix(key, "_id") && len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// list compares two lists row by row, by their key; see is shown each row that both have, as the left one has it.
func (c *check) list(ctx context.Context, kind string, account bank.ID, path, key string, see func(row obj) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a page may be under way
	left, right := &keyed{rows: listOf(ctx, c.left, path), key: key}, &keyed{rows: listOf(ctx, c.right, path), key: key}
	if err := left.step(ctx); err != nil {
		return err
	}
	if err := right.step(ctx); err != nil {
		return err
	}
	for left.row != nil || right.row != nil {
		d := Difference{Account: account, Kind: kind}
		takeLeft := left.row != nil && (right.row == nil || !less(key, right.text, left.text))
		takeRight := right.row != nil && (left.row == nil || !less(key, left.text, right.text))
		if takeLeft {
			d.What, d.Left = left.text, string(encode(left.row))
		}
		if takeRight {
			d.What, d.Right = right.text, string(encode(right.row))
		}
		c.count(kind)
		if !takeLeft || !takeRight || !reflect.DeepEqual(left.row, right.row) {
			c.differ(d)
		}
		if see != nil && takeLeft && takeRight {
			if err := see(left.row); err != nil {
				return fmt.Errorf("GET %s: %w", path, err)
			}
		}
		if takeLeft {
			if err := left.step(ctx); err != nil {
				return err
			}
		}
		if takeRight {
			if err := right.step(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
