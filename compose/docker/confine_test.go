package docker_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"throughline/compose"
	"throughline/compose/docker"
	"throughline/compose/haproxy"
)

// confined is what a container was denied and granted.
type confined struct {
	Drop, Add, Security []string
	ReadOnly            bool
	Tmpfs               map[string]string
	Memory, Swap, Pids  int64
	Mounts              []string
}

func confinedOf(h *container.HostConfig) confined {
	c := confined{Drop: h.CapDrop, Add: h.CapAdd, Security: h.SecurityOpt, ReadOnly: h.ReadonlyRootfs, Tmpfs: h.Tmpfs, Memory: h.Memory, Swap: h.MemorySwap}
	if h.PidsLimit != nil {
		c.Pids = *h.PidsLimit
	}
	for _, m := range h.Mounts {
		c.Mounts = append(c.Mounts, fmt.Sprint(m.Type, " ", m.Target))
	}
	return c
}

// containersOf gives how the containers of a run are confined, by instance.
func containersOf(t *testing.T, run string) map[string]confined {
	t.Helper()
	engine, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	mine := make(client.Filters).Add("label", docker.Label+"="+run)
	list, err := engine.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: mine})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]confined{}
	for _, one := range list.Items {
		found, err := engine.ContainerInspect(t.Context(), one.ID, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all[one.Labels["throughline.instance"]] = confinedOf(found.Container.HostConfig)
	}
	return all
}

// beginImage is somebody's image, which begins as root. The rest is of its
// Dockerfile; its program is called begin and haproxy.
func beginImage(t *testing.T, rest string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "begin"), "./testdata/begin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY begin /begin\nCOPY begin /haproxy\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	tag := "throughline-begin-test:" + unique()
	if out, err := exec.Command("docker", "build", "-q", "-t", tag, dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: docker build: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "-f", tag).Run() })
	return tag
}

func TestContainersGetWhatTheyNeedAndNoMore(t *testing.T) {
	needEngine(t)
	needImage(t, "haproxy:3.0")
	image := beginImage(t, "")
	run := unique()
	p := newPlatformIn(t, docker.Config{Dir: t.TempDir(), Run: run, Self: webBinary(t), Images: docker.Images{
		Named: map[string]string{"haproxy-1": "haproxy:3.0"}}})
	lb, err := haproxy.Config{}.Instance("haproxy-1", "haproxy")
	if err != nil {
		t.Fatal(err)
	}
	start(t, p, lb)
	start(t, p, webInstance("web-1"))
	begun := start(t, p, compose.Instance{Name: "web-2", Program: compose.Program{Command: []string{"/begin", "{{.Dir}}"}, Image: image}})

	ours := confined{Drop: []string{"ALL"}, Security: []string{"no-new-privileges"}, ReadOnly: true,
		Tmpfs: map[string]string{"/tmp": "mode=1777"}, Memory: 1 << 30, Swap: 1 << 30, Pids: 1024, Mounts: []string{"volume /instance"}}
	others := confined{Drop: []string{"ALL"}, Add: []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"},
		Security: []string{"no-new-privileges"}, Memory: 4 << 30, Swap: 4 << 30, Pids: 4096, Mounts: []string{"volume /instance"}}
	if d := cmp.Diff(map[string]confined{"haproxy-1": ours, "web-1": ours, "web-2": others}, containersOf(t, run)); d != "" {
		t.Errorf("want (-), have (+):\n%s", d)
	}
	logged(t, begun, "begun as 999")
}

// logged waits until an instance has said it.
func logged(t *testing.T, h compose.Handle, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		log, err := h.Logs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never said %q:\n%s", h.Name(), want, text)
		}
	}
}

func TestWhoTakesTooMuchMemoryIsToldSo(t *testing.T) {
	needEngine(t)
	run := unique()
	p := newPlatformIn(t, docker.Config{Dir: t.TempDir(), Run: run})
	i := compose.Instance{Name: "web-1", Program: compose.Program{Command: []string{"/begin", "eat"}, Image: beginImage(t, "")},
		Ports: map[string]int{"http": 0}, Ready: compose.Probe{Within: 5 * time.Minute}} // it takes what a busy machine needs for 4 GiB
	if _, err := p.Start(t.Context(), i); err == nil || !strings.Contains(err.Error(), "ended by SIGKILL, out of memory (it may take 4096 MiB)") {
		t.Errorf("%v, want that it took too much", err)
	}
}

// What an image executes by itself is no template, and is executed in that image
// whatever it is called.
func TestAnImagesOwnCommandIsExecutedAsItIs(t *testing.T) {
	needEngine(t)
	image := beginImage(t, `ENTRYPOINT ["/haproxy", "say", "{{.Host}}", "--format={{json .}}"]
CMD ["{{", "{{.Nope}}"]
`)
	p := newPlatform(t, docker.Images{})
	h := start(t, p, compose.Instance{Name: "web-1", Program: compose.Program{Command: append(needImage(t, image), "{{.Name}}"), Image: image}})
	logged(t, h, fmt.Sprintf("told %q", []string{"{{.Host}}", "--format={{json .}}", "{{", "{{.Nope}}", "web-1"}))
}
