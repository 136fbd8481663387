package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestBooksFlags: all that is wrong is told at once, and the books are left out where Bank's database is not named.
func TestBooksFlags(t *testing.T) {
	t.Parallel()
	wrong := func(b booksFlags) string {
		text := ""
		if err := errors.Join(b.check()...); err != nil {
			text = err.Error()
		}
		return text
	}
	if none := (booksFlags{}); none.asked() || wrong(none) != "" {
		t.Errorf("nothing is given: %t, %q", none.asked(), wrong(none))
	}
	if text := wrong(booksFlags{bk: "http://bk:7070"}); !strings.Contains(text, "--bank-db: needed") {
		t.Errorf("BK without Bank: %q", text)
	}
	all := wrong(booksFlags{bank: "postgres://:x:/", bk: "bk", wait: -time.Second})
	for _, flag := range []string{"--bank-db: ", "--db: needed", "--bk: ", "--books-wait: "} {
		if !strings.Contains(all, flag) {
			t.Errorf("%s is not among %q", flag, all)
		}
	}
	if b := (booksFlags{bank: "postgres://bank@db/bank", bk: "http://bk:7070", db: "postgres://facade@db/facade"}); !b.asked() || wrong(b) != "" {
		t.Errorf("all is given: %t, %q", b.asked(), wrong(b))
	}
}
