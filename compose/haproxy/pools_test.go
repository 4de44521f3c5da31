package haproxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// withPools is a configuration with a backend for two paths.
func withPools() Config {
	return Config{Backends: []Pool{{Name: BackendOf("api"), HealthPath: "/alive", Paths: []Path{{"/get/", true}, {"/toplist", false}}}}}
}

func TestRenderPools(t *testing.T) {
	alone, err := Config{}.Render("127.0.0.1:1", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	text, err := withPools().Render("127.0.0.1:1", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"    acl to_be_api path -m beg /get/\n    acl to_be_api path -m str /toplist\n    use_backend be_api if to_be_api\n    default_backend be_web\n",
		"\n\nbackend be_api\n    balance roundrobin\n    option httpchk\n    http-check send meth GET uri /alive ver",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(alone, "use_backend") || strings.Count(alone, "\nbackend ") != 1 || strings.Count(text, "\nbackend ") != 2 {
		t.Errorf("%s", alone)
	}
	for name, c := range map[string]Config{
		"no path":      {Backends: []Pool{{Name: "be_api"}}},
		"same name":    {Backends: []Pool{{Name: "be_web", Paths: []Path{{"/x", false}}}}},
		"bad name":     {Backends: []Pool{{Name: "be api", Paths: []Path{{"/x", false}}}}},
		"bad path":     {Backends: []Pool{{Name: "be_api", Paths: []Path{{"/x y", false}}}}},
		"no root":      {Backends: []Pool{{Name: "be_api", Paths: []Path{{"x", false}}}}},
		"health check": {Backends: []Pool{{Name: "be_api", HealthPath: "x", Paths: []Path{{"/x", false}}}}},
	} {
		if _, err := c.Render("127.0.0.1:1", "127.0.0.1:2"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Requests go to the backend that has their path, its servers are counted under their names, also after they are gone,
// and after a reload they are in their backends again.
func TestPoolsGetTheirRequests(t *testing.T) {
	c := withPools()
	c.Master = true
	l := startLB(t, c)
	for backend, name := range map[string]string{Backend: "web-1", BackendOf("api"): "api-1"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
		t.Cleanup(server.Close)
		if err := l.AddTo(within(t), backend, name, strings.TrimPrefix(server.URL, "http://")); err != nil {
			t.Fatal(err)
		}
		if err := l.WaitState(within(t), name, Up); err != nil {
			t.Fatal(err)
		}
	}
	asked := func() {
		t.Helper()
		for path, want := range map[string]string{"/": "web-1", "/get": "web-1", "/toplists": "web-1", "/toplist": "api-1", "/toplist?n=1": "api-1", "/get/moon": "api-1", "/insert/get/": "web-1"} {
			response, err := http.Get(l.url + path)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if got := string(text); got != want || response.Header.Get(ServedBy) != want {
				t.Errorf("%s: %q answered, and %s is %q: want %s", path, got, ServedBy, response.Header.Get(ServedBy), want)
			}
		}
	}
	asked()
	if err := l.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked()
	for _, name := range []string{"api-1", "web-1"} {
		if err := l.Drain(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err := l.Remove(t.Context(), name, 0); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := l.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, row := range rows {
		if row.Kind == Server {
			counted[row.Proxy+"/"+row.Server] = row.Values["hrsp_2xx"]
		}
	}
	if counted["be_api/api-1"] != 3 || counted["be_web/web-1"] != 4 {
		t.Errorf("%v", counted)
	}
}
