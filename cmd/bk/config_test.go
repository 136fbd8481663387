package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/cmd/readyfile"
)

// parseServe parses a command line of `bk serve` and loads its configuration, with the given environment and nothing else.
func parseServe(t *testing.T, env map[string]string, args ...string) (*server, error) {
	t.Helper()
	s := &server{}
	cmd := &cobra.Command{Use: "serve"}
	s.bind(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return s, s.check(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bk.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigPrecedence(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, `
postgres: postgres://file/bk
listen: 127.0.0.1:1001
metrics-listen: 127.0.0.1:1002
grace: 7s
migrate: true
kafka:
  brokers: [a:9092, b:9092]
  partitions: 3
journal:
  lease: 9s
`)
	s, err := parseServe(t, map[string]string{"BK_LISTEN": "127.0.0.1:2001", "BK_METRICS_LISTEN": "127.0.0.1:2002", "BK_CONFIG": path},
		"--metrics-listen=127.0.0.1:3002", "--pprof")
	if err != nil {
		t.Fatal(err)
	}
	n := s.node
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"a flag beats the environment and the file", n.MetricsListen, "127.0.0.1:3002"},
		{"the environment beats the file", n.Listen, "127.0.0.1:2001"},
		{"the file beats the default", n.Postgres, "postgres://file/bk"},
		{"a list", strings.Join(n.Brokers, "|"), "a:9092|b:9092"},
		{"a number", n.Partitions, 3},
		{"a duration", n.Grace, 7 * time.Second},
		{"a nested duration", n.Lease, 9 * time.Second},
		{"a bool in the file", n.Migrate, true},
		{"a bool flag", n.Pprof, true},
		{"a default", s.log.format, "text"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, not %v", c.what, c.got, c.want)
		}
	}
}

// Everything that is wrong is told at once, by the name of where it came from.
func TestConfigErrorsAllAtOnce(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, `
kafka:
  brokers: kafka
  partitions: many
brokers: [a:9092]
jornal:
  lease: 5s
journal:
  max-batch: 999999
`)
	_, err := parseServe(t, map[string]string{"BK_JOURNAL_LEASE": "soon", "BK_SHARD": "40000"},
		"--config", path, "--grace=-1s", "--listen=here", "--log-level=loud")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"--postgres (or BK_POSTGRES, or postgres in the file): needed",
		"kafka.partitions in " + path + `: "many" is no whole number`,
		"kafka.brokers in " + path + ": 0: \"kafka\" is no address",
		"brokers in " + path + ": there is no such setting, did you mean kafka.brokers?",
		"jornal.lease in " + path + ": there is no such setting, did you mean journal.lease?",
		"journal.max-batch in " + path + ": 999999 is not between",
		"BK_JOURNAL_LEASE: \"soon\" is no duration",
		"BK_SHARD: 40000 is not between",
		"--grace: -1s is not between",
		"--listen: \"here\" is no address",
		"--log-level: \"loud\" is none of",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// The password is told to nobody: not by --help, not by an error about what stands beside it.
func TestSecurityFaultsAllAtOnce(t *testing.T) {
	t.Parallel()
	file := writeConfig(t, "no certificate")
	empty := writeConfig(t, "\n")
	for _, row := range []struct {
		args, want []string
	}{
		{[]string{"--kafka-tls-ca=" + file, "--kafka-tls-cert=" + file}, []string{
			"--kafka-tls-ca: is for TLS, which is not on", "--kafka-tls-ca: " + file + " has no certificate in PEM",
			"--kafka-tls-cert: is for TLS, which is not on", "--kafka-tls-key (or BK_KAFKA_TLS_KEY, or kafka.tls-key in the file): needed with the certificate",
		}},
		{[]string{"--kafka-tls", "--kafka-tls-ca=/nowhere", "--kafka-tls-cert=" + file, "--kafka-tls-key=" + file}, []string{
			"--kafka-tls-ca: open /nowhere: no such file", "--kafka-tls-cert: " + file + " with the key " + file + ": tls: ",
		}},
		{[]string{"--kafka-sasl=scram-sha-256"}, []string{"kafka.user in the file): needed for SASL", "kafka.password in the file): needed for SASL"}},
		{[]string{"--kafka-sasl=kerberos", "--kafka-user=bk", "--kafka-password=geheim", "--kafka-password-file=/nowhere"}, []string{
			`--kafka-sasl: "kerberos" is none of plain, scram-sha-256, scram-sha-512`, "--kafka-password-file: the password is given, too",
			"--kafka-password-file: open /nowhere: no such file",
		}},
		{[]string{"--kafka-sasl=plain", "--kafka-user=bk", "--kafka-password-file=" + empty}, []string{"--kafka-password-file: " + empty + " is empty"}},
		{[]string{"--kafka-user=bk", "--kafka-password=geheim"}, []string{"--kafka-user: is for SASL", "--kafka-password: is for SASL"}},
		{[]string{"--tls-key=/nowhere"}, []string{"--tls-cert (or BK_TLS_CERT, or tls-cert in the file): needed with the key", "--tls-key: open /nowhere"}},
	} {
		s, err := parseServe(t, nil, append(row.args, "--postgres=postgres://x")...)
		if err == nil {
			t.Errorf("%v: accepted", row.args)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: no %q in:\n%v", row.args, want, err)
			}
		}
		if n := strings.Count(err.Error(), "\n"); n != len(row.want) {
			t.Errorf("%v: %d lines, not %d:\n%v", row.args, n, len(row.want), err)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, s.node.Kafka, s.node.Kafka); strings.Contains(text, "geheim") {
			t.Errorf("the password is shown: %s", text)
		}
	}
	s, err := parseServe(t, map[string]string{"BK_KAFKA_PASSWORD": "geheim"}, "--postgres=postgres://x", "--kafka-sasl=plain", "--kafka-user=bk")
	if err != nil || s.node.Kafka.Password != "geheim" {
		t.Errorf("from the environment: %v", err)
	}
}

func TestConfigFileFaults(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"no YAML": "postgres: [", "no map": "- a\n- b\n", "a key twice": "listen: a:1\nlisten: b:2\n"} {
		if _, err := parseServe(t, nil, "--postgres=postgres://x", "--config", writeConfig(t, text)); err == nil || !strings.Contains(err.Error(), "bk.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := parseServe(t, nil, "--postgres=postgres://x", "--config", "/nowhere/bk.yaml"); err == nil {
		t.Error("a file that is not there is accepted")
	}
}

// Every field that a node can find fault with has a setting.
func TestEveryFieldHasASetting(t *testing.T) {
	t.Parallel()
	s, err := parseServe(t, nil, "--postgres=postgres://x")
	if err != nil {
		t.Fatal(err)
	}
	for field, name := range fields {
		if s.origin(name) == name {
			t.Errorf("%s: there is no setting %s", field, name)
		}
	}
	bad := node.Config{
		Brokers: []string{"x"}, EventsTopic: "t", CheckpointsTopic: "t", Partitions: -1, ReplicationFactor: -2, MinInsync: -1, Listen: "x", MetricsListen: "x",
		Kafka: node.KafkaAccess{CA: "/nowhere", Cert: "x", SASL: "kerberos", Password: "s", PasswordFile: "/nowhere"}, TLSKey: "/nowhere",
		Shard: -1, MaxInFlight: -1, MaxBatch: -1, Connections: -1, PoolConnections: 1, Lease: 1, AppendTimeout: 1, StandbyAfter: -1, Grace: -1,
	}
	violations := node.Violations(bad.Validate())
	if len(violations) < 26 {
		t.Errorf("%d violations: %v", len(violations), violations)
	}
	for _, v := range violations {
		if fields[v.Field] == "" {
			t.Errorf("%s has no setting", v.Field)
		}
	}
}

func TestServeWithoutPostgresIsUsage(t *testing.T) {
	for _, s := range []string{"BK_POSTGRES", "BK_CONFIG"} {
		t.Setenv(s, "")
	}
	code, _, stderr := bk(t.Context(), "serve")
	if code != exitUsage || !strings.Contains(stderr, "--postgres") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestReadyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ready.json")
	at := node.Addresses{API: "[::]:7070", Metrics: "127.0.0.1:7071"}
	if e := endpointsOf(at, true, "", ""); e.Connect != "https://127.0.0.1:7070" || e.Metrics != "http://127.0.0.1:7071" {
		t.Errorf("with TLS: %+v", e)
	}
	e := endpointsOf(at, false, "postgres://p", "k:9092")
	for range 2 { // the second replaces the first
		if err := readyfile.Write(path, e); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "connect": "http://127.0.0.1:7070",
  "postgres": "postgres://p",
  "kafka": "k:9092",
  "metrics": "http://127.0.0.1:7071"
}
`
	if string(content) != want {
		t.Errorf("the file is %s", content)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("anybody may read the password: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".ready*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	for range 2 {
		if err := readyfile.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := readyfile.Write(filepath.Join(t.TempDir(), "no", "ready.json"), e); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
