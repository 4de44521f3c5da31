package kubernetes_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"throughline/compose"
	"throughline/compose/kubernetes"
	"throughline/compose/platformtest"
)

// A cluster for tests is named by two variables: the kubeconfig, and a command that loads an image's archive, whose path comes after its
// words, into every node.
const (
	configVariable = "THROUGHLINE_KUBECONFIG"
	loadVariable   = "THROUGHLINE_KUBE_LOAD"
)

// TestMain lets the test binary stand in for a runner that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(runner(os.Args[2], os.Args[3], os.Args[4]))
	}
	os.Exit(m.Run())
}

// cluster is the one that tests run on.
type cluster struct {
	kubernetes.Cluster
	self  string // the image of the contract's program
	asked client.Interface
}

var theCluster = sync.OnceValues(func() (cluster, error) {
	c := cluster{Cluster: kubernetes.Cluster{Config: os.Getenv(configVariable)}}
	if c.Config == "" || os.Getenv(loadVariable) == "" {
		return c, fmt.Errorf("no cluster: name its kubeconfig with %s, and the command that loads an archive into its nodes with %s", configVariable, loadVariable)
	}
	dir, err := os.MkdirTemp("", "throughline-kubernetes-test-")
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	binary, archive := filepath.Join(dir, "web"), filepath.Join(dir, "web.tar")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./testdata/web")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return c, fmt.Errorf("build the contract's program: %w\n%s", err, out)
	}
	if c.self, err = kubernetes.ImageOf(binary, ""); err != nil {
		return c, err
	}
	var image bytes.Buffer
	if err := kubernetes.WriteImage(&image, binary, c.self); err != nil {
		return c, err
	}
	if err := os.WriteFile(archive, image.Bytes(), 0o600); err != nil {
		return c, err
	}
	load := strings.Fields(os.Getenv(loadVariable))
	if out, err := exec.Command(load[0], append(load[1:], archive)...).CombinedOutput(); err != nil {
		return c, fmt.Errorf("load the image: %w\n%s", err, out)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Config)
	if err != nil {
		return c, err
	}
	c.asked, err = client.NewForConfig(config)
	return c, err
})

func needCluster(t *testing.T) cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: it starts pods, as a real run does")
	}
	if os.Getenv(configVariable) == "" {
		t.Skipf("SKIPPED, NOTHING PROVED: no cluster: name its kubeconfig with %s", configVariable)
	}
	c, err := theCluster()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var count atomic.Int64

// unique is a run that no other test of any process uses.
func unique() string {
	return fmt.Sprintf("t%s-%d-%d", strconv.FormatInt(time.Now().UnixNano(), 36), os.Getpid(), count.Add(1))
}

func (c cluster) config(t *testing.T) kubernetes.Config {
	return kubernetes.Config{Dir: t.TempDir(), Run: unique(), Cluster: c.Cluster, Images: kubernetes.Images{Self: c.self}, Pod: []string{"pod"}}
}

func (c cluster) platform(t *testing.T, config kubernetes.Config) *kubernetes.Platform {
	t.Helper()
	p, err := kubernetes.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if left := c.left(t, config.Run); left != "" {
			t.Errorf("left after close: %s", left)
		}
	})
	return p
}

// left lists the namespaces of a run; everything else is in them.
func (c cluster) left(t *testing.T, run string) string {
	t.Helper()
	found, err := c.asked.CoreV1().Namespaces().List(context.Background(), meta.ListOptions{LabelSelector: kubernetes.Label + "=" + run})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range found.Items {
		names = append(names, n.Name)
	}
	return strings.Join(names, " ")
}

func program(args ...string) compose.Program {
	return compose.Program{Self: append([]string{}, args...)}
}

func web(name string, args ...string) compose.Instance {
	return compose.Instance{
		Name:    name,
		Program: program(append([]string{"--addr", "{{.Host}}:{{.Port}}", "--dir", "{{.Dir}}"}, args...)...),
		Ports:   map[string]int{"http": 0},
		Ready:   compose.Probe{Path: "/healthz", Within: 20 * time.Second},
	}
}

func TestKubernetesKeepsTheContract(t *testing.T) {
	c := needCluster(t)
	platformtest.Run(t, func(t *testing.T) compose.Platform { return c.platform(t, c.config(t)) }, platformtest.Programs{Web: program})
}

// runner starts a platform with an instance, says so, and waits to be killed.
func runner(dir, run, self string) int {
	p, err := kubernetes.New(context.Background(), kubernetes.Config{Dir: dir, Run: run, Cluster: kubernetes.Cluster{Config: os.Getenv(configVariable)},
		Images: kubernetes.Images{Self: self}, Pod: []string{"pod"}})
	if err == nil {
		_, err = p.Start(context.Background(), web("web-1", "--stubborn"))
	}
	fmt.Println("started:", err)
	time.Sleep(time.Hour)
	return 0
}

// A runner that is killed leaves nothing for longer than a minute, also of an instance that ignores SIGTERM.
func TestNothingOutlivesTheRunner(t *testing.T) {
	c := needCluster(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := unique()
	cmd := exec.Command(self, "runner", t.TempDir(), run, c.self)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 200)
	n, _ := out.Read(said)
	if got := strings.TrimSpace(string(said[:n])); got != "started: <nil>" {
		t.Fatalf("the runner: %q", got)
	}
	if c.left(t, run) == "" {
		t.Fatal("there is no namespace")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_ = cmd.Wait()
	for c.left(t, run) != "" {
		if time.Since(killed) > time.Minute {
			t.Fatalf("a minute after the kill there is still %s", c.left(t, run))
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("gone %v after the kill", time.Since(killed).Round(time.Millisecond))
}

func TestANameThatIsTaken(t *testing.T) {
	c := needCluster(t)
	config := c.config(t)
	p := c.platform(t, config)
	if _, err := kubernetes.New(t.Context(), config); err == nil || !strings.Contains(err.Error(), "is there already, and is not this run's") {
		t.Errorf("%v", err)
	}
	if _, err := p.Start(t.Context(), web("web-1")); err != nil {
		t.Errorf("the one who was there first: %v", err)
	}
}

// What is missing is told at once, and nothing is left.
func TestImagesThatAreMissing(t *testing.T) {
	c := needCluster(t)
	config := c.config(t)
	config.Images.Self = "localhost/no-such-image:1"
	begin := time.Now()
	_, err := kubernetes.New(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "ErrImageNeverPull: image localhost/no-such-image:1") || time.Since(begin) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	if left := c.left(t, config.Run); left != "" {
		t.Errorf("left: %s", left)
	}
	config = c.config(t)
	config.Images.HAProxy = "localhost:1/no-such-haproxy:1"
	p := c.platform(t, config)
	_, err = p.Start(t.Context(), compose.Instance{Name: "lb-1", Program: compose.Program{Command: []string{"haproxy"}}})
	if err == nil || !strings.Contains(err.Error(), "ErrImagePull: image localhost:1/no-such-haproxy:1") {
		t.Errorf("%v", err)
	}
}

func TestAQuota(t *testing.T) {
	c := needCluster(t)
	config := c.config(t)
	p := c.platform(t, config)
	quota := &core.ResourceQuota{ObjectMeta: meta.ObjectMeta{Name: "few"}, Spec: core.ResourceQuotaSpec{Hard: core.ResourceList{core.ResourcePods: resource.MustParse("1")}}}
	quotas := c.asked.CoreV1().ResourceQuotas("throughline-" + config.Run)
	if _, err := quotas.Create(t.Context(), quota, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// It holds once the cluster has counted what there is.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		counted, err := quotas.Get(t.Context(), "few", meta.GetOptions{})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the quota holds not: %+v, %v", counted, err)
		}
		if used := counted.Status.Used[core.ResourcePods]; used.Value() == 1 {
			break
		}
	}
	if _, err := p.Start(t.Context(), web("web-1")); err == nil || !strings.Contains(err.Error(), "start web-1: the quota of the namespace has no room for another pod") {
		t.Errorf("%v", err)
	}
}

// Somebody else's deletion is an end like any other: the program gets SIGTERM, and says how it ended.
func TestADeletionByOthers(t *testing.T) {
	c := needCluster(t)
	config := c.config(t)
	p := c.platform(t, config)
	h, err := p.Start(t.Context(), web("web-1", "--exit", "7"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.asked.CoreV1().Pods("throughline-"+config.Run).Delete(t.Context(), "web-1", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if exit, err := h.Wait(ctx); err != nil || exit.Code != 7 || exit.Signal != "" {
		t.Errorf("%+v, %v", exit, err)
	}
}
