package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// fetch asks for a path of the HTTP API.
func fetch(t *testing.T, s *rig, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestEvents(t *testing.T) {
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	send := sender(t, s, "web-1", "zone", "a")
	start(t, s)
	send("_e{6,8}:deploy|one\\ntwo|d:1384430400|t:success|k:web|#version:1.4\n_sc|db|2|d:1384430460|h:db-1|m:down")
	wait(t, "the events are in the journal", func() bool { return len(s.journal.between(time.Time{}, soon(), "", 10)) == 2 })
	events := func(query string) (out []collector.Event) {
		t.Helper()
		status, body := fetch(t, s, "/api/v1/events"+query)
		var answer struct {
			Status string
			Data   []collector.Event
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Status != "success" {
			t.Fatalf("%s: status %d, %v: %s", query, status, err, body)
		}
		return answer.Data
	}
	at := time.Unix(1384430400, 0)
	event := collector.Event{Kind: collector.Told, At: at.UTC(), Labels: collector.NewLabels("instance", "web-1", "version", "1.4", "zone", "a"),
		Title: "deploy", Text: "one\ntwo", Key: "web", Priority: "normal", Alert: "success"}
	check := collector.Event{Kind: collector.ServiceCheck, At: at.Add(time.Minute).UTC(), Labels: collector.NewLabels("instance", "web-1", "zone", "a"),
		Title: "db", Text: "down", Host: "db-1", Alert: "critical"}
	for query, want := range map[string][]collector.Event{
		"":                                   {event, check},
		"?kind=service_check":                {check},
		"?limit=1":                           {check},
		"?start=1384430400&end=1384430401.5": {event},
		"?start=2013-11-14T12:00:30Z":        {check},
		"?end=1":                             {},
	} {
		if diff := cmp.Diff(want, events(query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for _, query := range []string{"?start=yesterday", "?end=1e99", "?limit=many"} {
		if status, body := fetch(t, s, "/api/v1/events"+query); status != http.StatusBadRequest || !strings.Contains(body, `"errorType":"bad_data"`) {
			t.Errorf("%s: status %d: %s", query, status, body)
		}
	}
}

// TestPage: the page shows what came in and what was lost, and nothing that a
// client sends becomes part of it.
func TestPage(t *testing.T) {
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	send := sender(t, s, "web-1")
	start(t, s)
	send("a.b:1|c\na_b:1|c\nx:y|c\n_e{8,1}:<script>|x")
	wait(t, "four lines came", func() bool { return s.statsd.Figures().Total.Lines == 4 })
	wait(t, "the event is noted", func() bool { return len(s.journal.between(time.Time{}, soon(), "", 1)) == 1 })
	status, page := fetch(t, s, "/")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, page)
	}
	for _, want := range []string{"web-1", "Bad lines:", "bad_value 1;", "conflict 1;", "name_collision", "&lt;script&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "<script>") {
		t.Errorf("an event's title is part of the page's code:\n%s", page)
	}
	if status, _ := fetch(t, s, "/nothing"); status != http.StatusNotFound {
		t.Errorf("/nothing: status %d", status)
	}
}
