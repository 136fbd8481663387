package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/migrations/child"
	"github.com/bkledger/bk/migrations/embedded"
)

const kafkaHelperEnv = "BK_TEST_EMBEDDED_KAFKA" // "DIR|PORT"

// TestKafkaHelperProcess is no test: it is the broker that TestKafkaKill kills.
func TestKafkaHelperProcess(t *testing.T) {
	arg := os.Getenv(kafkaHelperEnv)
	if arg == "" {
		t.Skip("runs as a helper of TestKafkaKill")
	}
	dir, port, _ := strings.Cut(arg, "|")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Dir: dir, Port: n, Sync: true}); err != nil {
		fmt.Println("broker:", err)
		os.Exit(1)
	}
	fmt.Println("serving")
	os.Stdin.Read(make([]byte, 1)) // until the parent kills it, or is gone itself
	os.Exit(0)
}

// TestKafkaKill kills a broker in the middle of transactional producing, again and again on one folder: at the end every
// acknowledged transaction is there, and each one is whole or not there at all. BK_TEST_KAFKA_KILLS: how many kills.
func TestKafkaKill(t *testing.T) {
	t.Parallel()
	kills := 12
	if v := os.Getenv("BK_TEST_KAFKA_KILLS"); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "kafka")
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := startHelper(t, dir, port)
	createTopics(t, addr)

	acked := make(map[int]bool)
	cutShort := 0
	stop, stopped := make(chan struct{}), make(chan struct{})
	progress := make(chan struct{}, 1)
	go func() { // a client outlives the kills: it sees what they do to a transaction, and takes a new producer then
		defer close(stopped)
		p := newProducer(t, addr, "publisher")
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := produceTxn(t.Context(), p, n); err != nil {
				cutShort++
				p.Close()
				p = newProducer(t, addr, "publisher")
				continue
			}
			acked[n] = true
			select {
			case progress <- struct{}{}:
			default:
			}
		}
	}()
	for range kills {
		for range 2 { // the first may be from before this broker's time
			select {
			case <-progress:
			case <-time.After(time.Minute):
				t.Fatal("no transaction was committed for a minute")
			}
		}
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond) // waits for nothing: where in a transaction the kill hits is chance
		cmd.Process.Kill()
		cmd.Wait()
		cmd = startHelper(t, dir, port)
	}
	close(stop)
	<-stopped
	cmd.Process.Kill()
	cmd.Wait()
	k := startKafka(t, embedded.KafkaConfig{Dir: dir, Port: port, Sync: true})
	got := readTxns(t, k.Addr())
	for n := range acked {
		if !got[n] {
			t.Errorf("transaction %d was acknowledged and is lost", n)
		}
	}
	t.Logf("%d kills, %d transactions acknowledged, %d cut short (%d of them committed)", kills, len(acked), cutShort, len(got)-len(acked))
}

func startHelper(t *testing.T, dir string, port int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKafkaHelperProcess$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", kafkaHelperEnv, dir, port))
	if _, err := cmd.StdinPipe(); err != nil { // closed when this process dies, which ends the helper
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	buf := make([]byte, 4096)
	read, err := out.Read(buf)
	if line := string(buf[:read]); err != nil || !strings.HasPrefix(line, "serving") {
		t.Fatalf("the helper says %q: %v", line, err)
	}
	return cmd
}
