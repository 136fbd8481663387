package cutover

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed runbooks/*.yaml
var shipped embed.FS

// Shipped gives the names of the runbooks that come with the program: one for each stage, in order.
func Shipped() []string {
	entries, err := shipped.ReadDir("runbooks")
	if err != nil {
		return nil // they are in the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return sorted(names)
}

// ShippedText gives a runbook that comes with the program.
func ShippedText(name string) ([]byte, error) {
	text, err := shipped.ReadFile("runbooks/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("%w: there is no runbook %q; there are %s", ErrRunbook, name, strings.Join(Shipped(), ", "))
	}
	return text, nil
}
