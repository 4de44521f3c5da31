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
	"throughline/compose/kubernetes/clustertest"
	"throughline/compose/platformtest"
)

// TestMain lets the test binary stand in for a runner that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(runner(os.Args[2], os.Args[3], os.Args[4], os.Args[5]))
	}
	os.Exit(m.Run())
}

// cluster is the one that tests run on.
type cluster struct {
	kubernetes.Cluster
	self  string // the image of the contract's program
	asked client.Interface
}

var theCluster struct {
	sync.Mutex
	cluster
}

// needCluster brings it up, with the image of the contract's program on its nodes.
func needCluster(t *testing.T) cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: it starts pods, as a real run does")
	}
	config := clustertest.Up(t)
	theCluster.Lock()
	defer theCluster.Unlock()
	if theCluster.asked != nil {
		return theCluster.cluster
	}
	dir := t.TempDir()
	binary, archive := filepath.Join(dir, "web"), filepath.Join(dir, "web.tar")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./testdata/web")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the contract's program: %v\n%s", err, out)
	}
	self, err := kubernetes.ImageOf(binary, "")
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	if err := kubernetes.WriteImage(&image, binary, self); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive, image.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	clustertest.LoadArchive(t, archive, self)
	rest, err := clientcmd.BuildConfigFromFlags("", config)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := client.NewForConfig(rest)
	if err != nil {
		t.Fatal(err)
	}
	theCluster.cluster = cluster{kubernetes.Cluster{Config: config}, self, asked}
	return theCluster.cluster
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
func runner(config, dir, run, self string) int {
	p, err := kubernetes.New(context.Background(), kubernetes.Config{Dir: dir, Run: run, Cluster: kubernetes.Cluster{Config: config},
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
	cmd := exec.Command(self, "runner", c.Config, t.TempDir(), run, c.self)
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
