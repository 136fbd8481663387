package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/parity/generate"
	"github.com/bkledger/bk/compat/parity/landing"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// TestWarehouse lands topics, shows that, and exports it.
func TestWarehouse(t *testing.T) {
	t.Parallel()
	broker := kafkatest.New(t).Addr()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const prefix = "warehousetest."
	var flags []string
	for _, topic := range landing.TopicsOf("bank", prefix) {
		if _, err := kadm.NewClient(client).CreateTopics(t.Context(), generate.Partitions, 1, nil, topic.Name); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--topic", "bank:"+topic.Name)
	}
	var last landing.Origin
	for origin, r := range generate.Records(generate.Config{Events: 2000, Accounts: 50}, true) {
		client.Produce(t.Context(), &kgo.Record{Topic: prefix + origin.Name, Partition: origin.Partition, Key: r.Key, Value: r.Value}, nil)
		last = origin
	}
	client.Produce(t.Context(), &kgo.Record{Topic: prefix + last.Name, Partition: last.Partition, Value: []byte("not an event")}, nil)
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "warehouse.duckdb")
	command := func(args ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		if code := Main(t.Context(), append(args, "--warehouse", file), &out, &said); code != exitOK {
			t.Fatalf("%v: %d\n%s", args, code, said.String())
		}
		return out.String()
	}
	load := append([]string{"warehouse", "load", "--kafka", broker}, flags...)
	if out := command(load...); !strings.Contains(out, "landed 2000 events") || !strings.Contains(out, "1 records are no events") {
		t.Error(out)
	}
	if out := command(load...); !strings.Contains(out, "landed 0 events") {
		t.Error(out)
	}
	var standings []landing.Standing
	if err := json.Unmarshal([]byte(command("warehouse", "status", "--json")), &standings); err != nil {
		t.Fatal(err)
	}
	var events, rejects int64
	for _, s := range standings {
		events, rejects = events+s.Events, rejects+s.Rejects
		if s.Next != s.End || s.CaughtUpAt.IsZero() {
			t.Errorf("%+v", s)
		}
	}
	if events != 2000 || rejects != 1 || len(standings) != 3*generate.Partitions {
		t.Errorf("%d events, %d rejects, %d partitions", events, rejects, len(standings))
	}
	if out := command("warehouse", "status"); strings.Count(out, "\n") != len(standings)+1 || !strings.Contains(out, "bank.business-date") {
		t.Error(out)
	}
	to := filepath.Join(dir, "parquet")
	if out := command("warehouse", "export", to, "--stage", "@parity"); !strings.Contains(out, "trade_events.parquet") {
		t.Error(out)
	}
	for _, name := range []string{landing.ManifestFile, landing.SnowflakeFile, "cash_events.parquet"} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWarehouseUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"load --side left --batch-rows -1 --wait -1s --accept-gap x": {"--kafka", "--side", "--batch-rows", "--wait", "--accept-gap: \"x\"", "--who"},
		"load --kafka k --topic bank.trades":                         {"--topic"},
		"load --kafka k --topic left:bank.trades":                    {"left"},
		"load --kafka k --driver nothere --dsn-file x":               {"nothere"},
		"load --kafka k --dsn-file x":                                {"--driver"},
		"load --kafka k --log-level loud":                            {"--log-level"},
		"status --warehouse=":                                        {"--warehouse"},
		"export x --stage parity":                                    {"--stage"},
		"export":                                                     {"arg"},
		"sell":                                                       {"sell"},
	} {
		out := &bytes.Buffer{}
		code := Main(t.Context(), append([]string{"warehouse"}, strings.Fields(args)...), io.Discard, out)
		for _, text := range want {
			if code != exitUsage || !strings.Contains(out.String(), text) {
				t.Errorf("%s: %d, %q is not in %s", args, code, text, out)
			}
		}
	}
}
