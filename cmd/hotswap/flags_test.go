package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestErrorsNameFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"facade --mode bk-only":                          {"--bk: needed", "see hotswap facade --help"},
		"facade --listen nowhere":                        {"--listen: "},
		"facade --first-trade-id -1":                     {"--first-trade-id: "},
		"facade --bank http://bank":                      {"--bank-operations: needed where --bank has no port"},
		"facade --bank bank:8080":                        {"--bank: "},
		"facade --queue-limit 0 --lease 0s --hold -1s":   {"--queue-limit: 0", "--lease: 0s", "--hold: -1s"},
		"facade --roll-timeout 0s":                       {"--roll-timeout: 0s"},
		"facade mode bk-only --kill --who a --why b":     {"exclude each other", "see hotswap facade mode --help"},
		"facade mode --final --kill --who a --why b":     {"exclude each other"},
		"facade mode bk-only --wait 11m --who a --why b": {"--wait: 11m0s"},
		"bank --listen nowhere --db x --kafka none":      {"--listen: "},
		"compare":                           {"--db: needed"},
		"compare --db x --bank http://bank": {"--bank-operations: needed"},
		"compare --db x --limit 0 --parallel 0 --wait -1s":  {"--limit: 0", "--parallel: 0", "--wait: -1s"},
		"compare --db x --accounts 0 --bk 127.0.0.1:7070":   {"--accounts: 0", "--bk: "},
		"facade queue list --left-out --blocked":            {"left-out", "see hotswap facade queue list --help"},
		"facade queue skip 0 --who anna --why 'it is done'": {"see hotswap facade queue skip --help"},
	} {
		out := &bytes.Buffer{}
		code := Main(t.Context(), strings.Fields(args), io.Discard, out)
		for _, w := range want {
			if code != exitUsage || !strings.Contains(out.String(), w) {
				t.Errorf("%s: %d, without %q: %s", args, code, w, out)
			}
		}
		if lines := strings.Count(out.String(), "\n"); len(want) == 1 && lines != 2 {
			t.Errorf("%s: %d lines, want an error and where to look: %s", args, lines, out)
		}
	}
}

func TestTakenPorts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := t.TempDir() + "/data"
	for _, args := range []string{
		"bank --kafka none --operations-listen 127.0.0.1:0 --data " + data + " --listen " + l.Addr().String(),
		"facade --operations-listen 127.0.0.1:0 --listen 127.0.0.1:0 --data " + data + " --admin-listen " + l.Addr().String(),
	} {
		out := &bytes.Buffer{}
		if code := Main(t.Context(), strings.Fields(args), io.Discard, out); code != exitFailed || !strings.Contains(out.String(), "address already in use") || strings.Contains(out.String(), "starting Postgres") {
			t.Errorf("%s: %d %s", args, code, out)
		}
	}
}

func TestFlagged(t *testing.T) {
	t.Parallel()
	err := flagged(errors.Join(errors.New("A: one"), errors.Join(errors.New("B: two"), fmt.Errorf("A: three")), errors.New("four")), map[string]string{"A": "--a"})
	if want := "--a: one\nB: two\nfour"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := flagged(nil, nil); err != nil {
		t.Error(err)
	}
}
