//go:build unix

package embedded

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/child"
)

const (
	helperEnv = "BK_EMBEDDED_TEST_HELPER" // what the helper process shall hold: "postgres DIR" or "watcher"
	helperRun = "^TestPostgresHelperProcess$"
)

// TestPostgresHelperProcess is the body of the process that other tests kill. It
// prints a line when it is set up and waits to be killed.
func TestPostgresHelperProcess(t *testing.T) {
	what, dir, _ := strings.Cut(os.Getenv(helperEnv), " ")
	switch what {
	case "postgres":
		p, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir, Durable: true})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("holds %d %s\n", p.server.pid(), p.DSN())
	case "watcher":
		sleep := exec.Command("sleep", "600")
		if err := sleep.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := watchByPipe(sleep.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("holds %d -\n", sleep.Process.Pid)
	default:
		t.Skip("only as a child of another test")
	}
	<-t.Context().Done()
}

// startHelper runs the helper and returns it with what it holds.
func startHelper(t *testing.T, what string) (helper *exec.Cmd, pid int, dsn string) {
	t.Helper()
	helper = exec.Command(os.Args[0], "-test.run="+helperRun, "-test.timeout=2m")
	helper.Env = append(os.Environ(), helperEnv+"="+what)
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	helper.Stderr = os.Stderr
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { helper.Process.Kill(); helper.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "holds %d %s", &pid, &dsn); n == 2 {
			return helper, pid, dsn
		}
		t.Log("helper:", lines.Text())
	}
	t.Fatal("the helper ended without setting up")
	return nil, 0, ""
}

func killHelper(t *testing.T, helper *exec.Cmd) {
	t.Helper()
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	helper.Wait() // an error: it was killed
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(testTimeout)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", testTimeout, what)
		}
		time.Sleep(pollInterval)
	}
}

// alive is false for a zombie: in a container nobody may reap an orphan.
func alive(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestPostgresEndsWithItsKilledParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	helper, pid, dsn := startHelper(t, "postgres "+dir)
	makeKept(t, dsn, 1000)
	killHelper(t, helper)
	eventually(t, "the orphaned server is gone", func() bool { return !alive(pid) })

	p := startTestPostgres(t, PostgresConfig{Dir: dir, Durable: true})
	if got := query[int](t, p.DSN(), countRows); got != 1000 {
		t.Errorf("%d rows, want 1000", got)
	}
}

func TestPostgresStartsOverAKilledParentAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := 1; round <= 3; round++ {
		helper, pid, dsn := startHelper(t, "postgres "+dir) // from round 2 on: while the last one still shuts down
		makeKept(t, dsn, 100)
		if got := query[int](t, dsn, countRows); got != round*100 {
			t.Errorf("round %d: %d rows, want %d", round, got, round*100)
		}
		killHelper(t, helper)
		if round == 3 {
			eventually(t, "the last server is gone", func() bool { return !alive(pid) })
		}
	}
}

func TestPostgresStartsAfterItsServerWasKilled(t *testing.T) {
	t.Parallel()
	p := startTestPostgres(t, PostgresConfig{Dir: t.TempDir(), Durable: true})
	makeKept(t, p.DSN(), 100)
	for range 3 {
		if err := p.server.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		if err := p.Start(t.Context()); err != nil { // its backends may still be leaving
			t.Fatal(err)
		}
		if got := query[int](t, p.DSN(), countRows); got != 100 {
			t.Errorf("%d rows, want 100", got)
		}
	}
}

func TestPostgresEndsALeftServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startTestPostgres(t, PostgresConfig{Dir: dir, Durable: true})
	makeKept(t, p.DSN(), 7)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}

	// Started by hand, as somebody with pg_ctl would.
	bin, err := findBinaries(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	left := p.home.command(t.Context(), bin.postgres, "-D", p.home.data, "-p", strconv.Itoa(port), "-c", "unix_socket_directories=")
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()
	eventually(t, "the server started by hand is ready", func() bool { return p.home.ready(left.Process.Pid) })

	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the left server wasn't shut down cleanly: %v", err)
	}
	if got := query[int](t, p.DSN(), countRows); got != 7 {
		t.Errorf("%d rows, want 7", got)
	}
}

func TestPostgresStalePidFile(t *testing.T) {
	t.Parallel()
	p := startTestPostgres(t, PostgresConfig{Dir: t.TempDir(), Durable: true})
	pidFile := filepath.Join(p.home.data, "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "\n")

	// A process of the server's user that has the pid after a reboot: Postgres
	// alone takes it for a server and refuses.
	other := p.home.command(t.Context(), "/bin/sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("/bin/true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, first := range map[string]string{
		"another's pid": strconv.Itoa(other.Process.Pid),
		"a dead pid":    strconv.Itoa(dead.Process.Pid),
		"our own pid":   strconv.Itoa(os.Getpid()),
		"torn":          "12x",
		"empty":         "",
	} {
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(pidFile, []byte(first+"\n"+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := query[int](t, p.DSN(), `SELECT 1`); got != 1 {
			t.Errorf("%s: no answer", name)
		}
	}
	if !alive(other.Process.Pid) {
		t.Error("a process that is no server was ended")
	}
	other.Process.Kill()
	other.Wait()
}

func TestPostgresUnderRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	under := func(t *testing.T, dir string) *Postgres {
		t.Helper()
		p := startTestPostgres(t, PostgresConfig{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		out, err := exec.Command("ps", "-o", "uid=", "-p", strconv.Itoa(p.server.pid())).Output()
		if err != nil {
			t.Fatal(err)
		}
		if uid := strings.TrimSpace(string(out)); uid == "0" || uid != strconv.Itoa(int(p.home.user.uid)) {
			t.Errorf("the server runs as user %s, want %d", uid, p.home.user.uid)
		}
		if got := query[int](t, p.DSN(), `SELECT 1`); got != 1 {
			t.Error("no answer")
		}
		return p
	}
	mode := func(dir string) os.FileMode {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	t.Run("a closed folder that isn't ours to open", func(t *testing.T) {
		if _, ok := searchCapability(); !ok {
			t.Skip("this root has no capability to lend")
		}
		t.Setenv("TMPDIR", t.TempDir()) // so that closed isn't in the temporary folder
		p := under(t, filepath.Join(closed, "lent"))
		if got := mode(closed); got != 0o700 {
			t.Errorf("the folder's mode was changed to %v", got)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Error(err)
		}
		// The capability doesn't cost the end with the parent.
		helper, pid, _ := startHelper(t, "postgres "+filepath.Join(closed, "helper"))
		killHelper(t, helper)
		eventually(t, "the orphaned server is gone", func() bool { return !alive(pid) })
	})
	t.Run("a temporary folder", func(t *testing.T) {
		under(t, filepath.Join(closed, "opened"))
		if got := mode(closed); got != 0o701 {
			t.Errorf("the folder's mode is %v, want 0701", got)
		}
	})
	t.Run("another user's cluster stays that user's", func(t *testing.T) {
		dir := filepath.Join(closed, "given")
		p := under(t, dir)
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		const someone = 12_345
		err := filepath.WalkDir(p.home.data, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, someone, someone)
		})
		if err != nil {
			t.Fatal(err)
		}
		if p = under(t, dir); p.home.user.uid != someone {
			t.Errorf("runs as %d", p.home.user.uid)
		}
	})
}

func TestWatchByPipe(t *testing.T) {
	t.Parallel()
	helper, pid, _ := startHelper(t, "watcher")
	if !alive(pid) {
		t.Fatal("the watched process isn't there")
	}
	killHelper(t, helper)
	eventually(t, "the watched process is gone", func() bool { return !alive(pid) })

	sleep := exec.Command("sleep", "600")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	release, err := watchByPipe(sleep.Process.Pid, syscall.SIGINT)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if !alive(sleep.Process.Pid) {
		t.Error("release ended the watched process")
	}
	sleep.Process.Kill()
	sleep.Wait()
}
