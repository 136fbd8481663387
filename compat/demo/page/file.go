package page

import (
	"bytes"
	_ "embed" // the page
	"encoding/json"
	"fmt"
	"io"
)

//go:embed page.html
var page []byte

// here is where the page has its first State, and whether events follow.
var here = []byte(`/*first*/null,/*live*/false`)

// File writes the page as it stands at a State, for ever.
func File(to io.Writer, s State) error { return write(to, s, false) }

// write writes the page. JSON has no < of its own: nothing in it can end the script.
func write(to io.Writer, s State, live bool) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("the page's state: %w", err)
	}
	if _, err := to.Write(bytes.Replace(page, here, fmt.Appendf(nil, "%s,%t", text, live), 1)); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
