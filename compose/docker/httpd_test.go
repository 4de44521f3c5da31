package docker_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"throughline/compose"
	"throughline/compose/docker"
	"throughline/compose/httpd"
	"throughline/compose/imds"
	"throughline/compose/respawn"
)

// before starts an httpd of the image before an instance, as a stack does that will kill it.
func before(t *testing.T, p *docker.Platform, web compose.Handle, connect time.Duration) (compose.Handle, httpd.Control) {
	t.Helper()
	program := httpd.InImage(docker.HTTPDImage)
	config := httpd.Config{Serves: web.Name(), Backend: behind(t, web), Modules: program.Modules, Checker: "the-check", Dir: program.Home, Connect: connect}
	instance, err := config.Instance("httpd-1", program.Binary)
	if err != nil {
		t.Fatal(err)
	}
	instance.Program.Command = respawn.Shell(instance.Program.Command)
	h := start(t, p, instance)
	control := config.Control(h.Addr(httpd.HTTPPort))
	control.Exec = h.(compose.Executor).Exec
	return h, control
}

// The image's httpd is told apart from its instance, counts, is reloaded, limited and killed, and ends when it is asked to.
func TestHTTPDInAContainer(t *testing.T) {
	needEngine(t)
	needImage(t, docker.HTTPDImage)
	run := unique()
	p := newPlatformIn(t, docker.Config{Dir: t.TempDir(), Run: run, Self: webBinary(t)})
	web := start(t, p, webInstance("web-1"))
	front, control := before(t, p, web, 250*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	if by := ask(t, control.Addr); by != "web-1" {
		t.Errorf("answered by %q, want web-1", by)
	}
	logged(t, front, " 200 web-1 ")
	if err := control.Reload(ctx); err != nil {
		t.Error(err)
	}
	if err := control.Limit(ctx, 2); err != nil {
		t.Error(err)
	}
	if n, err := httpd.Status(ctx, control.Addr); err != nil || n[httpd.Busy]+n[httpd.Idle] > 2 || n[httpd.Generation] != 3 {
		t.Errorf("limited: %v, %v", n, err)
	}
	if err := control.Limit(ctx, 0); err != nil {
		t.Error(err)
	}
	if err := control.Crash(ctx); err != nil {
		t.Error(err)
	}
	if n, err := httpd.Status(ctx, control.Addr); err != nil || n[httpd.Generation] != 1 {
		t.Errorf("started again: %v, %v", n, err)
	}
	if has := containersOf(t, run)["httpd-1"]; !has.ReadOnly || len(has.Add) > 0 || has.Memory != 1<<30 {
		t.Errorf("its container has %+v, want no more than others of ours", has)
	}

	// A container that is gone refuses nobody: httpd answers all the same, by itself, and soon.
	end(t, web)
	begin := time.Now()
	res, err := http.Get("http://" + control.Addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if took := time.Since(begin); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get(httpd.ServedBy) != "" || took > 5*time.Second {
		t.Errorf("before one that is gone it answers %s by %q after %v", res.Status, res.Header.Get(httpd.ServedBy), took)
	}
	if err := front.Signal(ctx, compose.Terminate); err != nil {
		t.Fatal(err)
	}
	if exit, err := front.Wait(ctx); err != nil || exit.Code != 0 {
		t.Errorf("asked to end: %+v, %v", exit, err)
	}
}

func TestACommandIsExecutedInTheContainer(t *testing.T) {
	needEngine(t)
	needImage(t, docker.HTTPDImage)
	p := newPlatform(t, docker.Images{})
	h := start(t, p, compose.Instance{Name: "x-1", Program: compose.Program{Command: []string{"sleep", "60"}, Image: docker.HTTPDImage}})
	x := h.(compose.Executor)
	if out, err := x.Exec(t.Context(), "sh", "-c", `echo "$1"; hostname 2>/dev/null || cat /etc/hostname`, "sh", "a b"); err != nil || string(out) != "a b\nx-1\n" {
		t.Errorf("it wrote %q, %v", out, err)
	}
	if _, err := x.Exec(t.Context(), "sh", "-c", "echo no good >&2; exit 7"); err == nil || !strings.Contains(err.Error(), "x-1") || !strings.Contains(err.Error(), "exit status 7: no good") {
		t.Errorf("a command that fails: %v", err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := x.Exec(brief, "sleep", "30"); err == nil {
		t.Error("a command that takes too long ended well")
	}
	end(t, h)
	if _, err := x.Exec(t.Context(), "true"); err == nil || !strings.Contains(err.Error(), "it is gone") {
		t.Errorf("in what is gone: %v", err)
	}
}

// A container reaches the metadata service of its own instance, and that of no other.
func TestMetadataInAContainer(t *testing.T) {
	needEngine(t)
	needImage(t, docker.HTTPDImage)
	p := newPlatform(t, docker.Images{})
	service, err := imds.Listen(p.Home(), imds.Config{Identity: imds.Identity{ID: "i-1"}, Now: time.Now, Token: unique})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	const ask = `exec 3<>"/dev/tcp/${1%:*}/${1#*:}"
printf 'PUT /latest/api/token HTTP/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n' >&3; head -1 <&3`
	for name, want := range map[string]string{"web-1": "HTTP/1.0 200 OK", "web-2": "HTTP/1.0 403 Forbidden"} {
		i := compose.Instance{Name: name, Program: compose.Program{Command: []string{"sleep", "60"}, Image: docker.HTTPDImage}}
		if name == "web-1" {
			i.Placed = func(at netip.Addr) error { service.Place(at); return nil }
		}
		h := start(t, p, i)
		out, err := h.(compose.Executor).Exec(t.Context(), "bash", "-c", ask, "bash", strings.TrimPrefix(service.URL(), "http://"))
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s is answered %q, %v, want %q", name, out, err, want)
		}
	}
	if err := service.Interrupt(t.Context(), imds.Notice{Given: time.Now(), Deadline: time.Now()}); err != nil {
		t.Errorf("the harness asks whether a notice is given: %v", err)
	}
}
