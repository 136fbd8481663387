package deploy

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestFlags: the commands and flags of the manifests and of README.md are hotswap's.
func TestFlags(t *testing.T) {
	t.Parallel()
	binary := t.TempDir() + "/hotswap"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/hotswap").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	c := newCluster()
	for _, step := range steps {
		c.apply(t, step)
	}
	for name, d := range c.deployments {
		args := d.Spec.Template.Spec.Containers[0].Args
		help, err := exec.CommandContext(t.Context(), binary, args[0], "--help").CombinedOutput()
		if err != nil || !strings.Contains(string(help), "hotswap "+args[0]) {
			t.Errorf("%s: hotswap has no %s: %v\n%s", name, args[0], err, help)
			continue
		}
		for _, arg := range args[1:] {
			flag, _, _ := strings.Cut(arg, "=")
			if !regexp.MustCompile(`(?m)(^|\s)` + regexp.QuoteMeta(flag) + `\b[^-]`).Match(help) {
				t.Errorf("%s: hotswap %s has no flag %s", name, args[0], flag)
			}
		}
	}
}
