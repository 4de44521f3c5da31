package inventory

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/discovery/targetgroup"

	"throughline/live"
)

func hosts() []live.Host {
	return []live.Host{
		{Name: "web-1", Role: "web", Addr: "127.0.0.1:8081", Zone: "a", Version: "v1.2", Serving: true, Cloud: &live.CloudHost{
			ID: "i-01", Type: "t3.small", Zone: "eu-central-1a", Launched: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Tags: map[string]string{"aws:group": "web"}}},
		{Name: "web-2", Role: "web", Addr: "[::1]:8082", Zone: "b"},
	}
}

// TestAnsible: the whole answer, as Ansible's documentation of inventory scripts has it.
func TestAnsible(t *testing.T) {
	text, err := Write(Ansible, hosts())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	one := map[string]any{
		"ansible_host": "127.0.0.1", "http_port": 8081.0, "role": "web", "zone": "a", "version": "v1.2", "serving": true,
		"instance_id": "i-01", "instance_type": "t3.small", "availability_zone": "eu-central-1a", "launch_time": "2026-03-01T12:00:00Z",
		"instance_tags": map[string]any{"aws:group": "web"},
	}
	list := func(names ...any) map[string]any { return map[string]any{"hosts": names} }
	want := map[string]any{
		"_meta": map[string]any{"hostvars": map[string]any{
			"web-1": one,
			"web-2": map[string]any{"ansible_host": "::1", "http_port": 8082.0, "role": "web", "zone": "b", "serving": false},
		}},
		"all": map[string]any{"children": []any{"version_v1_2", "web", "zone_a", "zone_b", "ungrouped"}},
		"web": list("web-1", "web-2"), "zone_a": list("web-1"), "zone_b": list("web-2"), "version_v1_2": list("web-1"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err = Variables(hosts(), "web-1")
	var vars map[string]any
	if err == nil {
		err = json.Unmarshal(text, &vars)
	}
	if diff := cmp.Diff(one, vars); err != nil || diff != "" {
		t.Errorf("of one host: %v (-want +got):\n%s", err, diff)
	}
	for _, c := range []struct {
		of   []live.Host
		want string
	}{{hosts(), "web-9: no such instance (have web-1, web-2)"}, {nil, "web-9: no such instance (have none)"}} {
		if _, err := Variables(c.of, "web-9"); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestPrometheus: Prometheus itself reads the targets.
func TestPrometheus(t *testing.T) {
	text, err := Write(Prometheus, hosts())
	if err != nil {
		t.Fatal(err)
	}
	var groups []*targetgroup.Group
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range groups {
		for _, target := range g.Targets {
			got = append(got, target.String()+" "+g.Labels.String())
		}
	}
	want := []string{
		`{__address__="127.0.0.1:8081"} {__meta_throughline_availability_zone="eu-central-1a", __meta_throughline_instance_id="i-01", __meta_throughline_instance_type="t3.small", ` +
			`__meta_throughline_serving="true", __meta_throughline_tag_aws_group="web", instance="web-1", role="web", version="v1.2", zone="a"}`,
		`{__address__="[::1]:8082"} {__meta_throughline_serving="false", instance="web-2", role="web", zone="b"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNobodyThere: a stack that is not up has lists without entries, which are no null: Prometheus
// would keep the targets that it had.
func TestNobodyThere(t *testing.T) {
	for format, want := range map[string]string{
		Prometheus: `[]`, JSON: `[]`, Ansible: `{"_meta":{"hostvars":{}},"all":{"children":["ungrouped"]}}`,
	} {
		text, err := Write(format, nil)
		var got, wanted any
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wanted, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", format, err, diff)
		}
	}
}

func TestOverHTTP(t *testing.T) {
	h := Handler(hosts)
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{http.MethodGet, "/inventory/prometheus", 200, `"127.0.0.1:8081"`},
		{http.MethodGet, "/inventory/ansible", 200, `"hostvars"`},
		{http.MethodGet, "/inventory/json", 200, `"addr": "[::1]:8082"`},
		{http.MethodGet, "/inventory/", 404, "no such format (have ansible, prometheus, json)"},
		{http.MethodPost, "/inventory/json", 405, "only read"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, http.NoBody))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || c.status == 200 && w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s %q", c.method, c.path, w.Code, w.Header().Get("Content-Type"), w.Body.String())
		}
	}
}

// TestFetch: what is asked over HTTP is what there is; who is no stack is told.
func TestFetch(t *testing.T) {
	page := httptest.NewServer(Handler(hosts))
	defer page.Close()
	got, err := Fetch(t.Context(), page.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hosts(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	if _, err := Fetch(t.Context(), other.URL); err == nil || !strings.Contains(err.Error(), "no stack that lists its instances (404") {
		t.Errorf("of something else: %v", err)
	}
	other.Close()
	if _, err := Fetch(t.Context(), other.URL); err == nil || !strings.Contains(err.Error(), "nobody answers there") {
		t.Errorf("of nobody: %v", err)
	}
	garbled := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer garbled.Close()
	if _, err := Fetch(t.Context(), garbled.URL); err == nil || !strings.Contains(err.Error(), "no list of instances") {
		t.Errorf("of a page: %v", err)
	}
}
