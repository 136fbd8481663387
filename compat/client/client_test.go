package client

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank/openapi/openapitest"
)

// TestDay runs the script against every target, twice, the second time on the books that the first left.
func TestDay(t *testing.T) {
	if os.Getenv("BK_CLIENT_TEST") == "" {
		t.Skip("needs Node and the packages of package-lock.json: make client-test")
	}
	for name, start := range targets() {
		t.Run(name, func(t *testing.T) {
			target := start(t, key)
			api, operations, answers := openapitest.Around(t, target.API, target.Operations)
			day(t, api, operations, "500000")
			day(t, api, operations, "600000")
			// The day knows every call but those of one system to another, and every error that a sound system can be brought to.
			for operation, statuses := range map[string][]int{
				"bookTrades": {202, 400, 404, 409, 413, 422}, "findTrade": {200, 404}, "getTrade": {200, 404}, "cancelTrade": {202, 400, 404, 409},
				"uploadTrades": {202, 400, 409}, "uploadCancels": {202, 400}, "getUpload": {200, 404},
				"listEntities": {200}, "createEntity": {200, 201, 400, 409}, "getEntity": {200, 404},
				"listAccounts": {200, 400}, "createAccount": {200, 201, 400, 404, 409}, "getAccount": {200, 400, 404},
				"listAccountTrades": {200, 400, 404}, "getAccountTrade": {200, 404}, "listPositions": {200, 404}, "getPosition": {200, 404},
				"listBalances": {200, 404}, "listJournal": {200, 404}, "getBusinessDate": {200}, "rollBusinessDate": {202, 400}, "moveCash": {202, 400, 409, 422},
			} {
				for _, status := range statuses {
					if answers.Seen(operation, status) == 0 {
						t.Errorf("the day had no %s answered with %d", operation, status)
					}
				}
			}
		})
	}
}

// day runs the script.
func day(t *testing.T, api, operations, first string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "node", "--enable-source-maps", "--test-reporter=spec", "build/main.js", first)
	script.Env = append(os.Environ(), "BANK_URL="+api, "BANK_OPERATIONS_URL="+operations, "BANK_KEY="+key)
	var out bytes.Buffer
	script.Stdout, script.Stderr = &out, &out
	if err := script.Run(); err != nil {
		t.Errorf("the day from account %s: %v\n%s", first, err, out.Bytes())
	} else {
		t.Logf("the day from account %s:\n%s", first, out.Bytes())
	}
}

// TestLock: the lock file pins every package by its content, and takes none from an address of its own.
func TestLock(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Version  int `json:"lockfileVersion"`
		Packages map[string]struct {
			Resolved, Integrity string
			HasInstallScript    bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	if lock.Version != 3 || len(lock.Packages) < 10 {
		t.Errorf("version %d with %d packages", lock.Version, len(lock.Packages))
	}
	for name, p := range lock.Packages {
		if name == "" {
			continue // this package
		}
		if p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/") {
			t.Errorf("%s comes from %s", name, p.Resolved)
		}
		if !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s is not pinned: integrity %q", name, p.Integrity)
		}
		if p.HasInstallScript {
			t.Errorf("%s runs a script when it is installed", name)
		}
	}
}
