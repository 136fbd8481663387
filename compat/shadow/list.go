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

// pageSize is that of all lists: what is in memory of a list is a page of each system.
const pageSize = 1000

// rows walks along a list of a system, page by page.
type rows struct {
	from  *caller
	path  string // with "?" or "&" at its end
	page  []json.RawMessage
	token string
	begun bool
}

func listOf(from *caller, path string) *rows {
	if strings.Contains(path, "?") {
		return &rows{from: from, path: path + "&"}
	}
	return &rows{from: from, path: path + "?"}
}

// next gives the next row; nil behind the last.
func (r *rows) next(ctx context.Context) (json.RawMessage, error) {
	for len(r.page) == 0 {
		if r.begun && r.token == "" {
			return nil, nil
		}
		var list struct {
			Data []json.RawMessage `json:"data"`
			Next string            `json:"next_page_token"`
		}
		path := fmt.Sprintf("%spage_size=%d", r.path, pageSize)
		if r.token != "" {
			path += "&page_token=" + url.QueryEscape(r.token)
		}
		if err := r.from.read(ctx, path, &list); err != nil {
			return nil, err
		}
		if list.Next != "" && (len(list.Data) == 0 || list.Next == r.token) {
			return nil, fmt.Errorf("%s: GET %s: the list does not go on", r.from.system.Name, path)
		}
		r.begun, r.page, r.token = true, list.Data, list.Next
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
func (c *comparer) list(ctx context.Context, kind string, account bank.ID, path, key string, see func(row obj) error) error {
	left, right := &keyed{rows: listOf(c.left, path), key: key}, &keyed{rows: listOf(c.right, path), key: key}
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
