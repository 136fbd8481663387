//go:build unix

package embedded

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// BK's schema needs nothing newer; older ones are not tested.
	lowestMajorVersion = 15

	versionTimeout = 10 * time.Second
)

// installations are the places where packages put server programs, beside PATH.
var installations = []string{
	"/usr/lib/postgresql/*/bin",                      // Debian, Ubuntu: not on PATH
	"/usr/pgsql-*/bin",                               // postgresql.org's packages for Red Hat
	"/opt/homebrew/opt/postgresql*/bin",              // Homebrew on Apple silicon: versioned ones are not on PATH
	"/usr/local/opt/postgresql*/bin",                 // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin", // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// binaries are the server programs of one installation.
type binaries struct {
	initdb, postgres string
	version          string // as postgres says it: "15.18"
	major            int
}

// findBinaries finds programs of the given major version, or of any that is
// good enough if major is "". What comes first on PATH is the user's choice and
// wins; after that the newest.
func findBinaries(ctx context.Context, major string) (binaries, error) {
	return searchBinaries(ctx, filepath.SplitList(os.Getenv("PATH")), installations, major)
}

func searchBinaries(ctx context.Context, path, patterns []string, major string) (binaries, error) {
	var onPath, wrappers, installed []string // folders
	for _, dir := range path {
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		switch {
		case err != nil || !filepath.IsAbs(program):
		case isScript(program):
			// A wrapper may change the user, or stay as a process between us and
			// the server and swallow our signals: better the real program.
			wrappers = append(wrappers, filepath.Dir(program))
		default:
			// A link into the installation leads to where its other programs are.
			onPath = append(onPath, filepath.Dir(program))
		}
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern) // an error means a bad pattern; a test would show it
		installed = append(installed, found...)
	}

	var rejected []string
	check := func(dirs []string) []binaries {
		var good []binaries
		for _, dir := range slices.Compact(dirs) {
			bin, err := inspect(ctx, dir)
			switch {
			case err != nil:
				rejected = append(rejected, fmt.Sprintf("%s: %v", dir, err))
			case major != "" && strconv.Itoa(bin.major) != major:
				rejected = append(rejected, fmt.Sprintf("%s: version %s", dir, bin.version))
			case bin.major < lowestMajorVersion:
				rejected = append(rejected, fmt.Sprintf("%s: version %s is older than %d", dir, bin.version, lowestMajorVersion))
			default:
				good = append(good, bin)
			}
		}
		return good
	}
	if good := check(onPath); len(good) > 0 {
		return good[0], nil
	}
	if good := check(installed); len(good) > 0 {
		return slices.MaxFunc(good, func(a, b binaries) int { return a.major - b.major }), nil
	}
	if good := check(wrappers); len(good) > 0 {
		return good[0], nil
	}

	if err := ctx.Err(); err != nil { // they were not asked to the end
		return binaries{}, fmt.Errorf("look for PostgreSQL's server programs: %w", err)
	}
	wanted := fmt.Sprintf("of version %d or newer", lowestMajorVersion)
	if major != "" {
		wanted = "of version " + major + ", which made this cluster,"
	}
	message := "looked on PATH and in " + strings.Join(patterns, ", ")
	if len(rejected) > 0 {
		message += "; not good: " + strings.Join(rejected, "; ")
	}
	return binaries{}, fmt.Errorf("%w %s found: install them with `apt-get install postgresql` (Debian, Ubuntu) or `brew install postgresql` (macOS) (%s)",
		ErrNoPostgres, wanted, message)
}

// inspect checks that dir holds a whole server installation.
func inspect(ctx context.Context, dir string) (binaries, error) {
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} { // all three: not just a client's package
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return binaries{}, fmt.Errorf("has no %s", name)
		}
	}
	bin := binaries{initdb: filepath.Join(dir, "initdb"), postgres: filepath.Join(dir, "postgres")}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin.postgres, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return binaries{}, fmt.Errorf("postgres --version: %w", err)
	}
	// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "... 18beta1"
	fields := strings.Fields(string(out))
	if len(fields) < 3 || fields[1] != "(PostgreSQL)" {
		return binaries{}, fmt.Errorf("postgres --version says %q", strings.TrimSpace(string(out)))
	}
	bin.version = fields[2]
	digits := strings.IndexFunc(bin.version+".", func(r rune) bool { return r < '0' || r > '9' })
	if bin.major, err = strconv.Atoi(bin.version[:digits]); err != nil {
		return binaries{}, fmt.Errorf("postgres --version says %q", bin.version)
	}
	return bin, nil
}

func isScript(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	var start [2]byte
	_, err = io.ReadFull(file, start[:])
	return err == nil && string(start[:]) == "#!"
}
