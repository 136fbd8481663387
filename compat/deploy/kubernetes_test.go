package deploy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// cluster is what some manifests add up to. A later object of a name takes the place of an earlier one, as in `kubectl apply`.
type cluster struct {
	services    map[string]*corev1.Service
	deployments map[string]*appsv1.Deployment
	configs     map[string]*corev1.ConfigMap
	secrets     map[string]*corev1.Secret
	budgets     map[string]*policyv1.PodDisruptionBudget
	policies    map[string]*networkingv1.NetworkPolicy
}

func newCluster() *cluster {
	return &cluster{
		map[string]*corev1.Service{}, map[string]*appsv1.Deployment{}, map[string]*corev1.ConfigMap{}, map[string]*corev1.Secret{},
		map[string]*policyv1.PodDisruptionBudget{}, map[string]*networkingv1.NetworkPolicy{},
	}
}

// apply reads a file of manifests; unknown, misplaced and repeated fields are errors.
func (c *cluster) apply(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("kubernetes", file))
	if err != nil {
		t.Fatal(err)
	}
	for i, doc := range bytes.Split(text, []byte("\n---\n")) {
		var head metav1.TypeMeta
		if err := yaml.Unmarshal(doc, &head); err != nil {
			t.Fatalf("%s, document %d: %v", file, i, err)
		}
		switch kind := head.APIVersion + " " + head.Kind; kind {
		case "v1 Service":
			add(t, file, doc, c.services)
		case "apps/v1 Deployment":
			add(t, file, doc, c.deployments)
		case "v1 ConfigMap":
			add(t, file, doc, c.configs)
		case "v1 Secret":
			add(t, file, doc, c.secrets)
		case "policy/v1 PodDisruptionBudget":
			add(t, file, doc, c.budgets)
		case "networking.k8s.io/v1 NetworkPolicy":
			add(t, file, doc, c.policies)
		default:
			t.Errorf("%s, document %d: %q is not known here", file, i, kind)
		}
	}
}

func add[T any, P interface {
	*T
	metav1.Object
}](t *testing.T, file string, doc []byte, to map[string]P) {
	t.Helper()
	object := P(new(T))
	if err := yaml.UnmarshalStrict(doc, object); err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if object.GetNamespace() != "bank" || object.GetName() == "" {
		t.Errorf("%s: %q in namespace %q", file, object.GetName(), object.GetNamespace())
	}
	to[object.GetName()] = object
}

// steps are the files in the order of README.md.
var steps = []string{"before/bank.yaml", "legacy-bank.yaml", "facade-config.yaml", "facade.yaml", "bank.yaml", "network-policy.yaml"}

func TestEveryFileIsAStep(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		found, err := filepath.Glob("kubernetes/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			files = append(files, strings.TrimPrefix(f, "kubernetes/"))
		}
	}
	slices.Sort(files)
	if want := slices.Sorted(slices.Values(steps)); !slices.Equal(files, want) {
		t.Errorf("there are %q, the steps are %q", files, want)
	}
}

// TestSteps applies one file after the other and checks the whole after each.
func TestSteps(t *testing.T) {
	t.Parallel()
	c := newCluster()
	var before *corev1.Service
	for _, step := range steps {
		c.apply(t, step)
		if t.Failed() {
			t.FailNow()
		}
		c.check(t, step)
		switch bank := c.services["bank"]; step {
		case "before/bank.yaml":
			before = bank.DeepCopy()
			if got := c.selected(bank.Spec.Selector); got != "bank" {
				t.Errorf("%s: bank stands for %q", step, got)
			}
		case "bank.yaml", "network-policy.yaml":
			if got := c.selected(bank.Spec.Selector); got != "bank-facade" {
				t.Errorf("%s: bank stands for %q", step, got)
			}
			// Clients notice nothing: all but the selector is as it was.
			now := bank.DeepCopy()
			now.Spec.Selector = before.Spec.Selector
			if fmt.Sprint(now.Spec) != fmt.Sprint(before.Spec) {
				t.Errorf("%s: the service was %v and is %v", step, before.Spec, now.Spec)
			}
		default:
			if fmt.Sprint(bank.Spec) != fmt.Sprint(before.Spec) {
				t.Errorf("%s touches the service bank", step)
			}
		}
	}
	if got := c.selected(c.services["legacy-bank"].Spec.Selector); got != "bank" {
		t.Errorf("legacy-bank stands for %q", got)
	}
	c.checkFacade(t)
}

// check looks at what has to hold at any time.
func (c *cluster) check(t *testing.T, step string) {
	t.Helper()
	for name, s := range c.services {
		d := c.deployments[c.selected(s.Spec.Selector)]
		if d == nil {
			t.Errorf("%s: service %s selects no pods", step, name)
			continue
		}
		for _, port := range s.Spec.Ports {
			if containerPort(d, port.TargetPort) != port.Port {
				t.Errorf("%s: service %s: port %s leads to %d of %s", step, name, port.Name, containerPort(d, port.TargetPort), d.Name)
			}
		}
	}
	for name, d := range c.deployments {
		if d.Spec.Selector == nil || !matches(d.Spec.Selector, d.Spec.Template.Labels) {
			t.Errorf("%s: deployment %s does not select its own pods", step, name)
		}
		container := d.Spec.Template.Spec.Containers[0]
		for what, probe := range map[string]*corev1.Probe{"readiness": container.ReadinessProbe, "liveness": container.LivenessProbe} {
			want := map[string]string{"readiness": "/readyz", "liveness": "/healthz"}[what]
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want || containerPort(d, probe.HTTPGet.Port) == 0 {
				t.Errorf("%s: %s: the %s probe does not fit: %v", step, name, what, probe)
			}
		}
		if grace, sleep := d.Spec.Template.Spec.TerminationGracePeriodSeconds, container.Lifecycle.PreStop.Sleep; *grace < sleep.Seconds+30 {
			t.Errorf("%s: %s: %d s are too few to sleep %d and to end open calls", step, name, *grace, sleep.Seconds)
		}
		c.checkEnvironment(t, step, &container)
		c.checkListeners(t, step, &container)
	}
	for name, b := range c.budgets {
		d := c.deployments[c.selected(b.Spec.Selector.MatchLabels)]
		if d == nil || b.Spec.MinAvailable == nil || b.Spec.MinAvailable.IntVal < 1 || b.Spec.MinAvailable.IntVal >= *d.Spec.Replicas {
			t.Errorf("%s: disruption budget %s does not fit", step, name)
		}
	}
	for name, p := range c.policies {
		d := c.deployments[c.selected(p.Spec.PodSelector.MatchLabels)]
		if d == nil || !slices.Equal(p.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
			t.Errorf("%s: network policy %s selects no pods, or more than what comes in", step, name)
			continue
		}
		for _, rule := range p.Spec.Ingress {
			if len(rule.Ports) == 0 {
				t.Errorf("%s: network policy %s opens all ports", step, name)
			}
			for _, port := range rule.Ports {
				if containerPort(d, *port.Port) == 0 {
					t.Errorf("%s: network policy %s: %s has no port %s", step, name, d.Name, port.Port)
				}
			}
		}
	}
}

// checkEnvironment: every variable of the arguments is defined, every one that is defined is used, and comes from where it says.
func (c *cluster) checkEnvironment(t *testing.T, step string, container *corev1.Container) {
	t.Helper()
	var used, defined []string
	for _, arg := range container.Args {
		for _, found := range regexp.MustCompile(`\$\((\w+)\)`).FindAllStringSubmatch(arg, -1) {
			used = append(used, found[1])
		}
	}
	for _, env := range container.Env {
		defined = append(defined, env.Name)
		there := false
		if ref := env.ValueFrom.ConfigMapKeyRef; ref != nil && c.configs[ref.Name] != nil {
			_, there = c.configs[ref.Name].Data[ref.Key]
		}
		if ref := env.ValueFrom.SecretKeyRef; ref != nil && c.secrets[ref.Name] != nil {
			_, there = c.secrets[ref.Name].StringData[ref.Key]
		}
		if !there {
			t.Errorf("%s: %s: %s comes from nowhere", step, container.Name, env.Name)
		}
	}
	slices.Sort(used)
	slices.Sort(defined)
	if !slices.Equal(used, defined) {
		t.Errorf("%s: %s uses %q and defines %q", step, container.Name, used, defined)
	}
}

// checkListeners: every port of the container is one that an argument listens on, and the other way round.
func (c *cluster) checkListeners(t *testing.T, step string, container *corev1.Container) {
	t.Helper()
	listens := map[int32]bool{}
	for _, arg := range container.Args {
		var port int32
		if _, address, ok := strings.Cut(arg, "listen=0.0.0.0:"); ok {
			if _, err := fmt.Sscan(address, &port); err != nil {
				t.Errorf("%s: %s: %s: %v", step, container.Name, arg, err)
			}
			listens[port] = true
		}
	}
	for _, port := range container.Ports {
		if !listens[port.ContainerPort] {
			t.Errorf("%s: %s does not listen on %s", step, container.Name, port.Name)
		}
		delete(listens, port.ContainerPort)
	}
	if len(listens) > 0 {
		t.Errorf("%s: %s listens on %v, which is no port of it", step, container.Name, listens)
	}
}

// checkFacade: who reaches whom once all is there.
func (c *cluster) checkFacade(t *testing.T) {
	t.Helper()
	d, config := c.deployments["bank-facade"], c.configs["bank-facade"]
	if *d.Spec.Replicas < 2 || c.budgets["bank-facade"] == nil {
		t.Error("the façade is not held up by replicas and a disruption budget")
	}
	for key, port := range map[string]string{"bank": "api", "bank-operations": "operations"} {
		s := c.services["legacy-bank"]
		i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == port })
		if want := fmt.Sprintf("http://%s.%s.svc:%d", s.Name, s.Namespace, s.Spec.Ports[i].Port); config.Data[key] != want {
			t.Errorf("%s is %s, the service %s", key, config.Data[key], want)
		}
	}
	for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
		if strings.HasPrefix(arg, "--mode") {
			t.Error("--mode on every start: a pod that starts after a switch would not come up")
		}
	}
	checkTemp(t, &d.Spec.Template.Spec)
	legacy := c.policies["legacy-bank"]
	if len(legacy.Spec.Ingress) != 1 || len(legacy.Spec.Ingress[0].From) != 1 {
		t.Fatalf("legacy-bank lets in %v", legacy.Spec.Ingress)
	}
	from := legacy.Spec.Ingress[0].From[0]
	if from.NamespaceSelector != nil || from.IPBlock != nil || c.selected(from.PodSelector.MatchLabels) != "bank-facade" {
		t.Errorf("legacy-bank lets in %v", from)
	}
	for _, rule := range c.policies["bank-facade"].Spec.Ingress {
		if open := len(rule.From) == 0; open != (rule.Ports[0].Port.StrVal == "api") {
			t.Errorf("port %s of the façade is open to everybody: %t", rule.Ports[0].Port, open)
		}
	}
}

// checkTemp: files of clients that come in have room, with a bound.
func checkTemp(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	const needed = 8 * 3 * 257 << 20 // files at once, copies, bytes
	container := pod.Containers[0]
	if context := container.SecurityContext; context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
		t.Error("the façade can write to its root")
	}
	i := slices.IndexFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/tmp" && !m.ReadOnly })
	if i < 0 {
		t.Fatal("the façade can't write to /tmp: no upload can come in")
	}
	j := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == container.VolumeMounts[i].Name })
	if j < 0 || pod.Volumes[j].EmptyDir == nil || pod.Volumes[j].EmptyDir.SizeLimit == nil || pod.Volumes[j].EmptyDir.SizeLimit.Value() < needed {
		t.Errorf("/tmp is no empty folder of at least %d bytes: %v", needed, pod.Volumes)
	}
}

// selected gives the one deployment whose pods a selector selects, "" if it is none, "many" if there are more.
func (c *cluster) selected(selector map[string]string) string {
	found := ""
	for name, d := range c.deployments {
		if len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(d.Spec.Template.Labels)) {
			if found != "" {
				return "many"
			}
			found = name
		}
	}
	return found
}

func matches(selector *metav1.LabelSelector, pods map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !s.Empty() && s.Matches(labels.Set(pods))
}

// containerPort gives the number of a deployment's port, 0 if there is none.
func containerPort(d *appsv1.Deployment, target intstr.IntOrString) int32 {
	for _, port := range d.Spec.Template.Spec.Containers[0].Ports {
		if target.StrVal == port.Name || target.StrVal == "" && target.IntVal == port.ContainerPort {
			return port.ContainerPort
		}
	}
	return 0
}
