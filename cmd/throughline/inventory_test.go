package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/live"
)

// The instances of a stack in a cloud are listed for whoever wants them, as they come and go: for people, for Ansible, and
// for Prometheus, which are asked what they make of it.
func TestInventoryOfACloud(t *testing.T) {
	u := broughtUp(t, "--cloud", "--web", "2")
	peers := []peer{ansible(t, u), prometheusOf(t, u)}
	check := func(want ...string) map[string]live.Host {
		t.Helper()
		var hosts []live.Host
		if err := json.Unmarshal(u.inventory("--format", "json"), &hosts); err != nil {
			t.Fatal(err)
		}
		var names []string
		by := map[string]live.Host{}
		for _, h := range hosts {
			names, by[h.Name] = append(names, h.Name), h
			if h.Cloud == nil || !strings.HasPrefix(h.Cloud.ID, "i-0") || h.Cloud.Tags["Name"] != h.Name {
				t.Errorf("%s is in no cloud: %+v", h.Name, h.Cloud)
			}
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("instances (-want +got):\n%s", diff)
		}
		for _, p := range peers {
			if p != nil {
				p(by)
			}
		}
		return by
	}
	first := check("web-1", "web-2")

	if panel := u.panel(); !strings.Contains(panel, `value="interrupt web-2"`) {
		t.Error("its page has no button to give notice")
	}
	if said := u.ctl(exitPass, "interrupt", "web-2", "notice=1s"); !strings.HasPrefix(said, "interrupt web-2, notice: 1s  (took effect in ") {
		t.Errorf("interrupt: %s", said)
	}
	u.ctl(exitPass, "launch")
	then := check("web-1", "web-3")
	if then["web-1"].Cloud.ID != first["web-1"].Cloud.ID || then["web-3"].Cloud.ID == first["web-2"].Cloud.ID {
		t.Errorf("ids were %+v, and are %+v", first, then)
	}
	u.ctl(exitPass, "end")
	u.ends()
}

// peer is somebody who reads an inventory, and must know these instances and no others.
type peer func(want map[string]live.Host)

// inventory is what the command prints.
func (u *upping) inventory(flags ...string) []byte {
	u.t.Helper()
	cmd := exec.Command(binary, append([]string{"inventory"}, flags...)...)
	cmd.Env, cmd.Stderr = u.env, os.Stderr
	text, err := cmd.Output()
	if err != nil {
		u.t.Fatalf("inventory %q: %v", flags, err)
	}
	return text
}

// panel is the live page, as who has the token sees it.
func (u *upping) panel() string {
	u.t.Helper()
	r, err := http.NewRequest(http.MethodGet, strings.Split(u.page, "enter")[0], nil)
	if err != nil {
		u.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.Split(u.page, "token=")[1])
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	defer got.Body.Close()
	var b strings.Builder
	if err := got.Write(&b); err != nil {
		u.t.Fatal(err)
	}
	return b.String()
}

// ansible asks Ansible's own reader, by a script as `throughline inventory --help` has it; nil where there is none.
func ansible(t *testing.T, u *upping) peer {
	t.Helper()
	program, err := exec.LookPath("ansible-inventory")
	if err != nil {
		t.Log("NOT TESTED: ansible-inventory is not on PATH; on Debian it is in ansible-core")
		return nil
	}
	script := filepath.Join(t.TempDir(), "hosts.sh")
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nexec %q inventory \"$@\"\n", binary), 0o700); err != nil {
		t.Fatal(err)
	}
	return func(want map[string]live.Host) {
		t.Helper()
		cmd := exec.Command(program, "-i", script, "--list")
		cmd.Env = append(slices.Clone(u.env), "HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
		var complained strings.Builder
		cmd.Stderr = &complained
		text, err := cmd.Output()
		if err != nil || complained.Len() > 0 {
			t.Fatalf("ansible-inventory: %v: %s", err, complained.String())
		}
		var got struct {
			Meta struct {
				Vars map[string]struct {
					ID   string `json:"instance_id"`
					Port int    `json:"http_port"`
				} `json:"hostvars"`
			} `json:"_meta"`
			Web struct{ Hosts []string } `json:"web"`
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("ansible-inventory: %v in %s", err, text)
		}
		if len(got.Meta.Vars) != len(want) || len(got.Web.Hosts) != len(want) {
			t.Errorf("Ansible knows %s", text)
		}
		for name, h := range want {
			v := got.Meta.Vars[name]
			if v.ID != h.Cloud.ID || !strings.HasSuffix(h.Addr, fmt.Sprintf(":%d", v.Port)) || !slices.Contains(got.Web.Hosts, name) {
				t.Errorf("Ansible knows %+v of %s, want %+v", v, name, h)
			}
		}
	}
}

// prometheusOf starts a Prometheus that is told of a stack by a file and over HTTP; nil where there is none.
func prometheusOf(t *testing.T, u *upping) peer {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Log("NOT TESTED: prometheus is not on PATH; make peers installs it")
		return nil
	}
	dir, addr := t.TempDir(), freeTCP(t)
	file, config := filepath.Join(dir, "targets.json"), filepath.Join(dir, "prometheus.yml")
	text := fmt.Appendf(nil, `scrape_configs:
  - job_name: file
    file_sd_configs: [{files: [%q], refresh_interval: 1s}]
  - job_name: http
    http_sd_configs: [{url: %q, refresh_interval: 1s}]
`, file, strings.Split(u.page, "enter")[0]+"inventory/prometheus")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, nil, program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	listens(t, addr)
	return func(want map[string]live.Host) {
		t.Helper()
		// As somebody has it who writes it by a timer: Prometheus sees no half of it.
		if err := os.WriteFile(file+".new", u.inventory("--format", "prometheus"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		wanted := map[string]string{}
		for _, job := range []string{"file", "http"} {
			for name, h := range want {
				wanted[job+" "+name] = fmt.Sprint(h.Addr, " web ", h.Zone, " ", h.Cloud.ID)
			}
		}
		diff := ""
		for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
			if diff = cmp.Diff(wanted, targetsOf(t, addr)); diff == "" {
				return
			}
		}
		t.Errorf("targets of Prometheus (-want +got):\n%s", diff)
	}
}

// targetsOf are the targets that a Prometheus has found, by job and instance.
func targetsOf(t *testing.T, addr string) map[string]string {
	t.Helper()
	res, err := http.Get("http://" + addr + "/api/v1/targets?state=active")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct {
		Data struct {
			ActiveTargets []struct {
				DiscoveredLabels, Labels map[string]string
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, x := range got.Data.ActiveTargets {
		found[x.Labels["job"]+" "+x.Labels["instance"]] = strings.Join([]string{x.DiscoveredLabels["__address__"], x.Labels["role"], x.Labels["zone"],
			x.DiscoveredLabels["__meta_throughline_instance_id"]}, " ")
	}
	return found
}
