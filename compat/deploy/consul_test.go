package deploy

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Consul's JSON, as far as it is used here; field for field as its documentation has it.
type (
	agentConfig struct {
		Services []consulService `json:"services"`
	}
	consulService struct {
		ID      string        `json:"id"`
		Name    string        `json:"name"`
		Port    int           `json:"port"`
		Tags    []string      `json:"tags"`
		Checks  []consulCheck `json:"checks"`
		Connect *struct {
			Sidecar struct {
				Proxy struct {
					Upstreams []struct {
						Destination string `json:"destination_name"`
						Port        int    `json:"local_bind_port"`
					} `json:"upstreams"`
				} `json:"proxy"`
			} `json:"sidecar_service"`
		} `json:"connect"`
	}
	consulCheck struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		HTTP     string `json:"http"`
		Interval string `json:"interval"`
		Timeout  string `json:"timeout"`
	}
	configEntry struct {
		Kind     string
		Name     string
		Redirect *struct{ Service string }
		Sources  []struct{ Name, Action string }
	}
)

func readStrict(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}

// services reads service definitions, by name.
func services(t *testing.T, file string) map[string]consulService {
	t.Helper()
	var config agentConfig
	readStrict(t, file, &config)
	all, ids := map[string]consulService{}, map[string]bool{}
	for _, s := range config.Services {
		all[s.Name] = s
		if s.ID == "" || ids[s.ID] || s.Name == "" || len(s.Checks) == 0 {
			t.Errorf("%s: service %q: id %q, %d checks", file, s.Name, s.ID, len(s.Checks))
		}
		ids[s.ID] = true
		for _, c := range s.Checks {
			if c.ID == "" || ids[c.ID] || c.Name == "" || c.Interval == "" || c.Timeout == "" {
				t.Errorf("%s: service %q: check %+v", file, s.Name, c)
			}
			ids[c.ID] = true
		}
	}
	return all
}

// TestConsulServices: names and ports, and that health is asked where it is answered.
func TestConsulServices(t *testing.T) {
	t.Parallel()
	const api, operations = 8080, 8081
	for file, c := range map[string]struct {
		names map[string]int
		ready string
	}{
		"before/bank.json": {map[string]int{"bank": api, "bank-operations": operations}, "http://127.0.0.1:8081/readyz"},
		"legacy-bank.json": {map[string]int{"legacy-bank": api, "legacy-bank-operations": operations}, "http://127.0.0.1:8081/readyz"},
		"bank-facade.json": {map[string]int{"bank-facade": api, "bank-facade-operations": operations}, "http://127.0.0.1:8082/readyz"},
		"dns-bank.json":    {map[string]int{"bank": api, "bank-operations": operations}, "http://127.0.0.1:8082/readyz"},
	} {
		found := services(t, "consul/"+file)
		ports := map[string]int{}
		for name, s := range found {
			ports[name] = s.Port
			if !slices.ContainsFunc(s.Checks, func(check consulCheck) bool { return check.HTTP == c.ready }) {
				t.Errorf("%s: %s is not asked at %s", file, name, c.ready)
			}
		}
		if !maps.Equal(ports, c.names) {
			t.Errorf("%s has %v, has to have %v", file, ports, c.names)
		}
	}
}

// TestConsulMesh: bank leads to the façade, the façade to Bank, and nobody else does.
func TestConsulMesh(t *testing.T) {
	t.Parallel()
	facade, legacy := services(t, "consul/bank-facade.json"), services(t, "consul/legacy-bank.json")
	for file, want := range map[string][2]string{"resolver-bank.json": {"bank", "bank-facade"}, "resolver-bank-operations.json": {"bank-operations", "bank-facade-operations"}} {
		var entry configEntry
		readStrict(t, "consul/"+file, &entry)
		if entry.Kind != "service-resolver" || entry.Redirect == nil || [2]string{entry.Name, entry.Redirect.Service} != want {
			t.Errorf("%s: %+v", file, entry)
		} else if _, there := facade[entry.Redirect.Service]; !there {
			t.Errorf("%s leads to %s, which nobody is", file, entry.Redirect.Service)
		}
	}
	for file, name := range map[string]string{"intentions-legacy-bank.json": "legacy-bank", "intentions-legacy-bank-operations.json": "legacy-bank-operations"} {
		var entry configEntry
		readStrict(t, "consul/"+file, &entry)
		want := []struct{ Name, Action string }{{"bank-facade", "allow"}, {"*", "deny"}}
		if entry.Kind != "service-intentions" || entry.Name != name || !slices.Equal(entry.Sources, want) {
			t.Errorf("%s: %+v", file, entry)
		}
	}
	var upstreams []string
	for _, u := range facade["bank-facade"].Connect.Sidecar.Proxy.Upstreams {
		upstreams = append(upstreams, u.Destination)
		if legacy[u.Destination].Connect == nil {
			t.Errorf("%s is not in the mesh", u.Destination)
		}
	}
	if want := []string{"legacy-bank", "legacy-bank-operations"}; !slices.Equal(upstreams, want) {
		t.Errorf("the façade reaches %q, has to reach %q", upstreams, want)
	}
}

// TestReadme: every file is in README.md, and every file that README.md names is there.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{"kubernetes/*.yaml", "kubernetes/*/*.yaml", "consul/*.json", "consul/*/*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Fatalf("only %q were found", files)
	}
	for _, f := range files {
		if !strings.Contains(string(text), f) {
			t.Errorf("README.md does not name %s", f)
		}
	}
	for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \n`()|,;", r) }) {
		if ext := filepath.Ext(word); (ext == ".yaml" || ext == ".json") && !slices.Contains(files, word) {
			t.Errorf("README.md names %s, which is not there", word)
		}
	}
}
