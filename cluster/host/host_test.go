//go:build linux

package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/cluster/plan"
)

func TestOverlap(t *testing.T) {
	c := plan.Cluster{Index: 0, Nodes: 3}
	for _, r := range []struct {
		routes string
		want   string // "" where nothing is in the way
	}{
		{`[]`, ""},
		{`[{"dst":"default","gateway":"192.0.2.1","dev":"eth0"},{"dst":"172.17.0.0/16","dev":"docker0"},{"dst":"10.90.1.0/24","dev":"tl-k8s-1"}]`, ""},
		{`[{"dst":"0.0.0.0/0","dev":"eth0"}]`, ""},
		{`[{"dst":"10.0.0.0/8","dev":"tun0"}]`, "network 10.90.0.0/24: this machine has a route to 10.0.0.0/8 by tun0"},
		{`[{"type":"local","dst":"10.100.3.4","dev":"lo"}]`, "network 10.100.0.0/16: this machine has a route to 10.100.3.4/32 by lo"},
		{`[{"dst":"10.116.0.0/24","dev":"wg0"}]`, "choose another --index"},
		{`no JSON`, "network: routes: "},
	} {
		err := overlap([]byte(r.routes), c)
		if (err == nil) != (r.want == "") || err != nil && !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: %v, want %q", r.routes, err, r.want)
		}
	}
}

// proc makes settings as a kernel has them.
func proc(t *testing.T, value string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range sysctls {
		set(t, dir, name, value)
	}
	return dir
}

func set(t *testing.T, dir, name, value string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is noted is what was before the first cluster, and it is put back once.
func TestSysctls(t *testing.T) {
	v := values{file: filepath.Join(t.TempDir(), "sysctls.json"), proc: proc(t, "0")}
	check := func(want string) {
		t.Helper()
		if got, _ := os.ReadFile(filepath.Join(v.proc, "kernel/panic")); strings.TrimSpace(string(got)) != want {
			t.Errorf("kernel/panic is %q, want %s", got, want)
		}
	}
	if err := v.restore(); err != nil {
		t.Errorf("nothing was noted: %v", err)
	}
	if err := v.note(); err != nil {
		t.Fatal(err)
	}
	set(t, v.proc, "kernel/panic", "10")
	if err := v.note(); err != nil { // a second cluster
		t.Fatal(err)
	}
	if err := v.restore(); err != nil {
		t.Fatal(err)
	}
	check("0")
	set(t, v.proc, "kernel/panic", "5") // the machine's owner
	if err := v.restore(); err != nil {
		t.Fatal(err)
	}
	check("5")
}

func TestSysctlsThatCannotBeRead(t *testing.T) {
	v := values{file: filepath.Join(t.TempDir(), "sysctls.json"), proc: t.TempDir()}
	if err := v.note(); err == nil || !strings.HasPrefix(err.Error(), "sysctl: ") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(v.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.restore(); err == nil || !strings.Contains(err.Error(), v.file) {
		t.Errorf("%v", err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("much\n", 20)+"the cause\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(path); strings.Count(got, "\n") != 9 || !strings.HasSuffix(got, "the cause") {
		t.Errorf("%q", got)
	}
	if got := tail(path + "x"); !strings.Contains(got, "no such file") {
		t.Errorf("%q", got)
	}
}
