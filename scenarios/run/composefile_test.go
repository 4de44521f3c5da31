package run

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"throughline/compose/haproxy"
	"throughline/scenarios/script"
)

// The stack in compose/compose.yaml is made by hand; that it is the one that a
// run starts is kept here.

var update = flag.Bool("update", false, "write compose/config/haproxy.cfg anew")

// service is what a service of compose.yaml says, as far as it is compared.
type service struct {
	Command     any
	Environment map[string]any
	Ports       []string
	Volumes     []string
	CapDrop     []string `yaml:"cap_drop"`
	ReadOnly    bool     `yaml:"read_only"`
	Profiles    []string
	Image       string
	Memory      string `yaml:"mem_limit"`
	Swap        string `yaml:"memswap_limit"`
	Processes   int    `yaml:"pids_limit"`
	Healthcheck *healthcheck
}

type healthcheck struct {
	Interval, Timeout time.Duration
	Start             time.Duration `yaml:"start_period"`
	Retries           int
}

func composeFile(t *testing.T, path string) map[string]service {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

func TestComposeFileTellsWebWhatARunTells(t *testing.T) {
	instance, err := Config{}.webInstance(script.Web{Health: "/healthz"}, 1, "collector:8125", "mongodb://mongo:27017")
	if err != nil {
		t.Fatal(err)
	}
	want := instance.Env
	delete(want, "INSTANCE") // the container's own name
	want["HOST"], want["PORT"] = "0.0.0.0", "8080"
	got := map[string]string{}
	for name, value := range composeFile(t, "../../compose/compose.yaml")["web"].Environment {
		text, _ := value.(string)
		if n, ok := value.(uint64); ok {
			text = strconv.FormatUint(n, 10)
		}
		got[name] = strings.ReplaceAll(text, "${ZONE:-a}", zoneOf(1))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what a web instance is told, by a run (-) and by compose.yaml (+):\n%s", diff)
	}
}

func TestComposeFileHasTheConfigurationOfARun(t *testing.T) {
	const path = "../../compose/config/haproxy.cfg"
	want, err := haproxy.Config{Resolve: "web:8080"}.Render("0.0.0.0:8080", "0.0.0.0:9999")
	if err != nil {
		t.Fatal(err)
	}
	want = "# Made by: go test ./scenarios/run -run ComposeFile -update\n" + want
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("HAProxy's configuration, as it is rendered (-) and in compose/config (+):\n%s", diff)
	}
	mounted := composeFile(t, "../../compose/compose.yaml")["haproxy"].Volumes
	if !slices.Contains(mounted, "./config/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro") {
		t.Errorf("HAProxy gets %v", mounted)
	}
}

// TestComposeFileIsHardened: nothing is served beyond loopback, and no container
// may more than it needs.
func TestComposeFileIsHardened(t *testing.T) {
	services := composeFile(t, "../../compose/compose.yaml")
	for _, name := range []string{"mongo", "collector", "web", "haproxy", "load", "prometheus", "grafana"} {
		if services[name].Image == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name, s := range services {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s: not on loopback", name, port)
			}
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s: read_only %v, cap_drop %v", name, s.ReadOnly, s.CapDrop)
		}
		if s.Memory == "" || s.Swap != s.Memory || s.Processes == 0 {
			t.Errorf("%s: mem_limit %q, memswap_limit %q, pids_limit %d", name, s.Memory, s.Swap, s.Processes)
		}
	}
}

// TestComposeFileHasPatience: `up --wait` gives up at the first container that is
// unhealthy, which on a busy machine must not be one that is slow. Of two seconds
// and five tries one was found so.
func TestComposeFileHasPatience(t *testing.T) {
	checks := map[string]healthcheck{}
	for name, s := range composeFile(t, "../../compose/compose.yaml") {
		if s.Healthcheck != nil {
			checks[name] = *s.Healthcheck
		} else if name != "web" { // which has its image's
			t.Errorf("%s has no health check", name)
		}
	}
	text, err := os.ReadFile("../../compose/images/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+) --retries=(\d+) `).FindStringSubmatch(string(text))
	if line == nil {
		t.Fatal("the image's health check says no interval, timeout, start-period and retries")
	}
	var image healthcheck
	if err := yaml.Unmarshal(fmt.Appendf(nil, "{interval: %s, timeout: %s, start_period: %s, retries: %s}", line[1], line[2], line[3], line[4]), &image); err != nil {
		t.Fatal(err)
	}
	checks["the image"] = image
	for name, c := range checks {
		if c.Interval > 2*time.Second || c.Timeout < 10*time.Second || c.Start < 2*time.Minute || c.Retries < 15 {
			t.Errorf("%s: %+v: asks too seldom or gives up too soon", name, c)
		}
	}
}
