package kubernetes

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorization "k8s.io/api/authorization/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	testclient "k8s.io/client-go/testing"

	"throughline/compose"
	"throughline/compose/kubernetes/inside"
)

// Each right that is missing is told by its name.
func TestMissingRights(t *testing.T) {
	lacking := map[string]bool{"create namespaces": true, "delete namespaces": true, "get pods/log": true, "update leases": true}
	c := fake.NewClientset()
	c.PrependReactor("create", "selfsubjectaccessreviews", func(a testclient.Action) (bool, runtime.Object, error) {
		review := a.(testclient.CreateAction).GetObject().(*authorization.SelfSubjectAccessReview)
		of := review.Spec.ResourceAttributes
		name := of.Verb + " " + of.Resource
		if of.Subresource != "" {
			name += "/" + of.Subresource
		}
		review.Status.Allowed = !lacking[name]
		return true, review, nil
	})
	missing := missingRights(t.Context(), c)
	text := errors.Join(missing...).Error()
	for _, want := range []string{"no right to create namespaces (", "no right to delete namespaces in its namespace", "no right to get pods/log in its", "no right to update leases.coordination.k8s.io"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q: %s", want, text)
		}
	}
	if len(missing) != len(lacking) {
		t.Errorf("%d are missing, and told are\n%s", len(lacking), text)
	}
}

func TestNoCluster(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBECONFIG", "")
	if _, err := connect(t.Context(), Cluster{}); err == nil || !strings.Contains(err.Error(), "no kubeconfig") {
		t.Errorf("%v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	path := filepath.Join(t.TempDir(), "config")
	t.Setenv("KUBECONFIG", path)
	text := strings.ReplaceAll(`{"apiVersion": "v1", "kind": "Config", "current-context": "here", "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
"users": [{"name": "u", "user": {}}], "clusters": [{"name": "c", "cluster": {"server": "http://ADDR"}}]}`, "ADDR", l.Addr().String())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t.Context(), Cluster{}); err == nil || !strings.Contains(err.Error(), "no API server answers at http://127.0.0.1:") {
		t.Errorf("%v", err)
	}
	if _, err := connect(t.Context(), Cluster{Context: "there"}); err == nil || !strings.Contains(err.Error(), `context "there" does not exist`) {
		t.Errorf("%v", err)
	}
}

func TestHome(t *testing.T) {
	for _, c := range []struct{ home, server, want, err string }{
		{"10.0.0.1", "https://127.0.0.1:6443", "10.0.0.1", ""},
		{"127.0.0.1", "https://10.0.0.1", "", "--harness-address 127.0.0.1: want an IP address"},
		{"me", "https://10.0.0.1", "", "--harness-address me"},
		{"", "https://127.0.0.1:6443", "", "give an address of this machine with --harness-address"},
	} {
		got, err := Cluster{Home: c.home}.home(c.server)
		if c.err == "" && (err != nil || got.String() != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// Time counts only in which the lease could have been renewed.
func TestStillness(t *testing.T) {
	begin := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	s := &stillness{limit: 30 * time.Second}
	away := errors.New("the API server is away")
	for _, step := range []struct {
		at, renewed int
		err         error
		want        bool
	}{
		{0, 0, nil, false}, {20, 0, nil, false}, {22, 1, nil, false}, {51, 1, nil, false},
		{60, 0, away, false}, {80, 0, away, false}, {82, 1, nil, false}, // 60 s without renewal, and none was possible
		{109, 1, nil, false}, {110, 1, nil, true},
	} {
		if got := s.look(at(1000+step.renewed), step.err, at(step.at)); got != step.want {
			t.Errorf("at %d s: %v, want %v", step.at, got, step.want)
		}
	}
}

// The reaper deletes the instances and the namespace once the lease is gone, and not before.
func TestReap(t *testing.T) {
	c := fake.NewClientset(&core.Namespace{})
	ctx, cancel := context.WithCancel(t.Context())
	deleted := make(chan string, 10)
	c.PrependReactor("delete-collection", "pods", func(a testclient.Action) (bool, runtime.Object, error) {
		deleted <- "pods " + a.(testclient.DeleteCollectionAction).GetListRestrictions().Labels.String()
		return true, nil, nil
	})
	c.PrependReactor("delete", "namespaces", func(a testclient.Action) (bool, runtime.Object, error) {
		deleted <- "namespace " + a.(testclient.DeleteAction).GetName()
		cancel()
		return true, nil, nil
	})
	if err := reapAfter(ctx, c, "throughline-r", &stillness{limit: time.Hour}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := []string{<-deleted, <-deleted}; !cmp.Equal(got, []string{"pods " + nameLabel, "namespace throughline-r"}) {
		t.Errorf("deleted: %q", got)
	}
}

func TestHopeless(t *testing.T) {
	with := func(c core.ContainerStatus) seen {
		return seen{pod: &core.Pod{Status: core.PodStatus{ContainerStatuses: []core.ContainerStatus{c}}}}
	}
	waits := func(reason string) seen {
		return with(core.ContainerStatus{Name: instanceContainer, Image: "shop:1", State: core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: reason, Message: "it is not there"}}})
	}
	for _, c := range []struct {
		seen seen
		want string
	}{
		{waits("ContainerCreating"), ""},
		{waits("ErrImagePull"), "ErrImagePull: image shop:1: it is not there"},
		{waits("ErrImageNeverPull"), "ErrImageNeverPull: image shop:1: it is not there"},
		{seen{pod: &core.Pod{}, deleted: true}, "somebody else deleted its pod"},
		{seen{pod: &core.Pod{Status: core.PodStatus{Phase: core.PodFailed, Reason: "Evicted", Message: "the node is full"}}}, "Evicted: the node is full"},
		{with(core.ContainerStatus{Name: instanceContainer, State: core.ContainerState{Terminated: &core.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}}}), "its container instance ended with status 1 (Error) before"},
	} {
		err := hopeless(c.seen)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	pending := seen{pod: &core.Pod{Status: core.PodStatus{Conditions: []core.PodCondition{{Type: core.PodScheduled, Status: core.ConditionFalse, Message: "0/3 nodes"}}}}}
	if got := waiting(pending); got != "no node takes it: 0/3 nodes" {
		t.Errorf("it waits: %q", got)
	}
	if got := waiting(waits("ContainerCreating")); !strings.Contains(got, "ContainerCreating") {
		t.Errorf("it waits: %q", got)
	}
}

func TestRefusedPods(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for want, err := range map[string]error{
		"the quota of the namespace has no room":   apierrors.NewForbidden(pods, "web-1", errors.New("exceeded quota: few, requested: pods=1")),
		"the cluster does not admit the pod":       apierrors.NewForbidden(pods, "web-1", errors.New(`violates PodSecurity "restricted"`)),
		"has a pod of that name which is not ours": apierrors.NewAlreadyExists(pods, "web-1"),
		"create the pod: ":                         errors.New("away"),
	} {
		if got := refusedPod(err).Error(); !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// platform is one without a cluster.
func platform(t *testing.T) *Platform {
	t.Helper()
	g, err := openGate(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	})
	return &Platform{config: Config{Run: "r", Images: Images{Self: "localhost/self:1", HAProxy: "haproxy:3.0"}, Pod: []string{"pod"}}, gate: g, port: firstPort - 1,
		placed: map[netip.Addr]*instance{}}
}

// No pod may more than an instance needs.
func TestPodsAreConfined(t *testing.T) {
	p := platform(t)
	for _, i := range []compose.Instance{
		{Name: "web-1", Program: compose.Program{Self: []string{"app"}}, Stop: 7500 * time.Millisecond},
		{Name: "lb-1", Program: compose.Program{Command: []string{"/usr/sbin/haproxy", "-f", "x"}}},
	} {
		b, err := p.program(i)
		if err != nil {
			t.Fatal(err)
		}
		pod := p.pod(i, b, "secret")
		spec := pod.Spec
		if spec.RestartPolicy != core.RestartPolicyNever || *spec.AutomountServiceAccountToken || *spec.EnableServiceLinks || !*spec.SecurityContext.RunAsNonRoot ||
			spec.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault || spec.ServiceAccountName != instancesAccount {
			t.Errorf("%s: %+v", i.Name, spec)
		}
		for _, c := range append(spec.InitContainers, spec.Containers...) {
			s := c.SecurityContext
			if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !cmp.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: %s: %+v", i.Name, c.Name, s)
			}
			if want := map[bool]core.PullPolicy{true: core.PullNever, false: core.PullIfNotPresent}[c.Image == "localhost/self:1"]; c.ImagePullPolicy != want {
				t.Errorf("%s: %s is pulled %s", i.Name, c.Image, c.ImagePullPolicy)
			}
		}
		if pod.Labels[Label] != "r" || pod.Labels[nameLabel] != i.Name {
			t.Errorf("labels %v", pod.Labels)
		}
		if want := map[string]int64{"web-1": 8, "lb-1": 5}[i.Name]; *spec.TerminationGracePeriodSeconds != want {
			t.Errorf("%s has %d s from SIGTERM to SIGKILL, want %d", i.Name, *spec.TerminationGracePeriodSeconds, want)
		}
	}
	for _, i := range []compose.Instance{
		{Program: compose.Program{Command: []string{"python3"}}}, {Program: compose.Program{Command: []string{"x"}, Image: "shop:1"}}, {Program: compose.Program{Command: []string{"haproxy"}, Dir: "/here"}},
	} {
		if _, err := p.program(i); err == nil {
			t.Errorf("%+v: no error", i.Program)
		}
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{"web-1": true, "agent-2.2": true, "Web-1": false, "web_1": false, "web-": false} {
		if err := validName(name); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A port is given once in a run.
func TestPortsAreNeverGivenTwice(t *testing.T) {
	p := platform(t)
	for n, want := range []map[string]int{{"http": 8080, "stats": 8081}, {"http": 8083, "stats": 8082}, {"http": 8084, "stats": 8085}} {
		asked := map[string]int{"http": 0, "stats": 0}
		if n == 1 {
			asked["stats"] = 8082
		}
		got, err := p.choosePorts(asked)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	p.port = 65535
	if _, err := p.choosePorts(map[string]int{"http": 0}); err == nil {
		t.Error("there is no port left, and no error")
	}
}

// The gate lets those in who are expected, once, and knows who they are by what they say and where they come from.
func TestGate(t *testing.T) {
	p := platform(t)
	due, forget := p.gate.expect("web-1")
	defer forget()
	for _, stranger := range [][2]string{{"web-1", "guessed"}, {"web-2", due.token}} {
		conn, err := inside.Dial(t.Context(), p.gate.addr(), stranger[0], stranger[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%v is let in: %v", stranger, err)
		}
		conn.Close()
	}
	conn, err := inside.Dial(t.Context(), p.gate.addr(), "web-1", due.token)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	v := <-due.came
	if err := v.sees(); err != nil || v.from.String() != "127.0.0.1" {
		t.Errorf("it is seen at %v: %v", v.from, err)
	}
	hidden := v
	hidden.hello.Address = "10.0.0.7"
	if err := hidden.sees(); err == nil || !strings.Contains(err.Error(), "has the address 10.0.0.7, and is seen here as 127.0.0.1") {
		t.Errorf("%v", err)
	}
	late := v
	late.hello.Clock = v.at.Add(-3 * time.Second)
	if err := late.sees(); err == nil || !strings.Contains(err.Error(), "off by -3s") {
		t.Errorf("%v", err)
	}
	serve(t, conn)
	l, err := begin(t.Context(), v, inside.Program{Words: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ask(t.Context(), inside.Order{Signal: "SIGUSR1"}); err == nil || err.Error() != "no" {
		t.Errorf("%v", err)
	}
	if err := l.ask(t.Context(), inside.Order{Signal: "SIGKILL"}); err != nil {
		t.Error(err)
	}
	<-l.over
	if l.end == nil || l.end.Signal != "SIGKILL" {
		t.Errorf("it ended: %+v", l.end)
	}
	if err := l.ask(t.Context(), inside.Order{Signal: "SIGKILL"}); err == nil {
		t.Error("what has ended takes orders")
	}
}

// serve is a pod that does as it is told, but for SIGUSR1.
func serve(t *testing.T, conn net.Conn) {
	t.Helper()
	hear, say := json.NewDecoder(conn), json.NewEncoder(conn)
	go func() {
		for {
			var o inside.Order
			if hear.Decode(&o) != nil {
				return
			}
			r := inside.Report{ID: o.ID}
			if o.Signal == "SIGUSR1" {
				r.Error = "no"
			}
			_ = say.Encode(r)
			if o.Signal == "SIGKILL" {
				_ = say.Encode(inside.Report{Ended: &inside.Ended{Code: -1, Signal: "SIGKILL"}})
				return
			}
		}
	}()
}

// An address is begun at again only when its former owner has been gone for a while.
func TestAnAddressRests(t *testing.T) {
	before := &instance{name: "web-1", link: &link{}, gone: make(chan struct{})}
	brief, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := before.awaitRest(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it lives: %v", err)
	}
	before.exit.At = time.Now()
	close(before.gone)
	if err := before.awaitRest(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it has just ended: %v", err)
	}
	before.exit.At = time.Now().Add(-addressRest)
	if err := before.awaitRest(t.Context()); err != nil {
		t.Errorf("it is long gone: %v", err)
	}
}

func TestAPodsEnds(t *testing.T) {
	for _, c := range []struct {
		told   *inside.Ended
		status *core.ContainerStateTerminated
		err    error
		oom    bool
		want   string
	}{
		{&inside.Ended{Code: 7}, &core.ContainerStateTerminated{ExitCode: 7}, nil, false, "exited with status 7"},
		{&inside.Ended{Code: -1, Signal: "SIGKILL"}, &core.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}, nil, true, "out of memory (it may take 1Gi)"},
		{nil, &core.ContainerStateTerminated{ExitCode: 137}, nil, false, "ended by SIGKILL"},
		{nil, &core.ContainerStateTerminated{ExitCode: 1}, nil, false, "exited with status 1"},
		{nil, nil, nil, false, "ended nobody knows how: its pod is gone, and said nothing"},
		{nil, nil, errors.New("30 s have passed"), false, "30 s have passed"},
	} {
		over := make(chan struct{})
		close(over)
		i := &instance{name: "web-1", link: &link{over: over, end: c.told, at: time.Now()}, settled: make(chan struct{})}
		pod := &core.Pod{}
		if c.status != nil {
			pod.Status.ContainerStatuses = []core.ContainerStatus{{Name: instanceContainer, State: core.ContainerState{Terminated: c.status}}}
		}
		if !i.told() {
			i.conclude(seen{pod: pod, at: time.Now()}, c.err)
		}
		i.oom = c.oom
		close(i.settled)
		if got := i.ended(); !strings.Contains(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Lines are kept once, whoever reads them first.
func TestLogLines(t *testing.T) {
	l := newLogFile(filepath.Join(t.TempDir(), "log"), nil, "", "")
	for _, line := range []string{
		"2026-01-01T00:00:00.000000001Z one\n", "2026-01-01T00:00:00.000000002Z two words\n", "2026-01-01T00:00:00.000000001Z one\n", "2026-01-01T00:00:01Z \n", "",
	} {
		if err := l.take(line); err != nil {
			t.Error(err)
		}
	}
	if err := l.take("no time\n"); err == nil {
		t.Error("a line without a time is taken")
	}
	if text, err := os.ReadFile(l.path); err != nil || string(text) != "one\ntwo words\n\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestImage(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "true")
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ref, err := ImageOf(binary, "registry.test/x")
	if err != nil || !strings.HasPrefix(ref, "registry.test/x/throughline:") {
		t.Fatalf("%s, %v", ref, err)
	}
	var one, two bytes.Buffer
	if err := errors.Join(WriteImage(&one, binary, ref), WriteImage(&two, binary, ref)); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Fatalf("twice the same binary is not the same archive: %v", err)
	}
	var names []string
	for r := tar.NewReader(&one); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names = append(names, h.Name)
	}
	if want := []string{"manifest.json", "config.json", "layer.tar"}; !cmp.Equal(want, names) {
		t.Errorf("it has %v", names)
	}
	if _, err := ImageOf(source, ""); err == nil || !strings.Contains(err.Error(), "not a program for Linux") {
		t.Errorf("%v", err)
	}
	if err := WriteImage(io.Discard, source, ref); err == nil {
		t.Error("no error")
	}
}
