//go:build unix

package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeInstallation makes programs that only know their version. They are
// scripts, so on PATH they count as wrappers.
func fakeInstallation(t *testing.T, dir, version string, programs ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		script := "#!/bin/sh\necho '" + program + " (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSearchBinaries(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	all := []string{"initdb", "postgres", "pg_ctl"}
	wrapper := fakeInstallation(t, filepath.Join(root, "wrapper"), "19.1", all...)
	fakeInstallation(t, filepath.Join(root, "lib/9.6/bin"), "9.6.24", all...)
	v15 := fakeInstallation(t, filepath.Join(root, "lib/15/bin"), "15.18 (Debian 15.18-0+deb12u1)", all...)
	v18 := fakeInstallation(t, filepath.Join(root, "lib/18/bin"), "18beta1", all...)
	fakeInstallation(t, filepath.Join(root, "lib/20/bin"), "20.1", "postgres", "pg_ctl") // no initdb
	installed := []string{filepath.Join(root, "lib/*/bin")}

	for _, c := range []struct {
		name           string
		path, patterns []string
		major          string
		want           string // folder; "" wants ErrNoPostgres
	}{
		{"the newest whole one", nil, installed, "", v18},
		{"the version of the cluster", nil, installed, "15", v15},
		{"no such version", nil, installed, "16", ""},
		{"a wrapper comes last", []string{wrapper}, installed, "", v18},
		{"a wrapper alone", []string{wrapper}, nil, "", wrapper},
		{"too old", nil, []string{filepath.Join(root, "lib/9.6/bin")}, "", ""},
		{"nothing", []string{filepath.Join(root, "nowhere")}, nil, "", ""},
	} {
		bin, err := searchBinaries(t.Context(), c.path, c.patterns, c.major)
		if c.want == "" {
			if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "apt-get install postgresql") || !strings.Contains(err.Error(), "brew install postgresql") {
				t.Errorf("%s: %v; want ErrNoPostgres and how to install", c.name, err)
			}
			continue
		}
		if err != nil || filepath.Dir(bin.postgres) != c.want || filepath.Dir(bin.initdb) != c.want {
			t.Errorf("%s: %+v, %v; want %s", c.name, bin, err, c.want)
		}
	}
}
