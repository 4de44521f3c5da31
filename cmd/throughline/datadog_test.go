package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"throughline/collector/dogstatsd"
)

// heard is what a Datadog agent gets.
type heard struct {
	mu      sync.Mutex
	metrics map[string]map[string]bool // the tags of each, by name
	events  []string
	checks  []string
	bad     []string
}

// listening is an agent's socket, and what came there.
func listening(t *testing.T) (*heard, string) {
	t.Helper()
	peer, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = peer.SetReadBuffer(8 << 20)
	t.Cleanup(func() { peer.Close() })
	h := &heard{metrics: map[string]map[string]bool{}}
	go func() {
		var s dogstatsd.Scanner
		buffer := make([]byte, 65536)
		for {
			n, err := peer.Read(buffer)
			if err != nil {
				return
			}
			h.take(&s, buffer[:n])
		}
	}()
	return h, peer.LocalAddr().String()
}

func (h *heard) take(s *dogstatsd.Scanner, datagram []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Reset(datagram)
	for kind := s.Next(); kind != 0; kind = s.Next() {
		switch kind {
		case dogstatsd.Metric:
			name := string(s.Line.Name)
			if h.metrics[name] == nil {
				h.metrics[name] = map[string]bool{}
			}
			for tag := range strings.SplitSeq(string(s.Line.Tags), ",") {
				key, _, _ := strings.Cut(tag, ":")
				h.metrics[name][key] = true
			}
		case dogstatsd.Event:
			h.events = append(h.events, s.Event.Title)
		case dogstatsd.ServiceCheck:
			h.checks = append(h.checks, s.Check.Name+" "+string('0'+s.Check.Status)+" "+s.Check.Message)
		default:
			h.bad = append(h.bad, string(datagram))
		}
	}
}

const relayedRun = `scenario: relayed
stack: {web: {instances: 2, version: v1}}
load: {rate: 60/s, mix: {insert: 8, get: 1}}
phases:
  - {phase: before, for: 3s}
  - phase: after
    do: [{kill: web-2}, {scale: 2}, {deploy: v2, canary: 1}]
    for: 3s
checks:
  - continuity: {metric: fullstack.insert}
`

// TestRelayedRun: a Datadog agent gets all that compose/datadog asks for, metrics and tags, and the events and service checks
// of what is done; nothing of it comes without --relay.
func TestRelayedRun(t *testing.T) {
	unhurried(t)
	stacked(t)
	h, addr := listening(t)
	file := scenarioFile(t, relayedRun)
	runScenario(t, file, "--relay", "udp://"+addr, "--page", "off")
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.bad) > 0 {
		t.Errorf("these make no sense: %q", h.bad)
	}
	for _, title := range []string{"kill web-2", "scale 2", "deploy v2, canary 1"} {
		if !slices.ContainsFunc(h.events, func(e string) bool { return strings.HasPrefix(e, strings.Split(title, ",")[0]) }) {
			t.Errorf("no event %s among %q", title, h.events)
		}
	}
	for _, check := range []string{"throughline.instance.serving 0 web-2 serves", "throughline.instance.serving 2 web-2 is gone: SIGKILL", "throughline.instance.serving 0 web-3 serves"} {
		if !slices.Contains(h.checks, check) {
			t.Errorf("no service check %q among %q", check, h.checks)
		}
	}
	asked := 0
	for _, name := range []string{"dashboard.json", "monitors.json"} {
		for _, wrong := range h.unsent(t, filepath.Join("../../compose/datadog", name), &asked) {
			t.Error(wrong)
		}
	}
	if asked < 15 {
		t.Errorf("compose/datadog asks for %d metrics only", asked)
	}
	delete(h.metrics["fullstack.insert"], "zone")
	delete(h.metrics, "fullstack.inflight")
	if wrong := h.unsent(t, "../../compose/datadog/dashboard.json", &asked); len(wrong) != 2 {
		t.Errorf("of a metric and a tag that are not sent these were found: %q", wrong)
	}
}

// metricInQuery is a metric of a Datadog query, without what an agent adds to a timer's name, with its scope and tags.
var metricInQuery = regexp.MustCompile(`(?:sum|avg|min|max):([\w.]+?)(?:\.(?:avg|median|95percentile))?\{([^}]*)\}(?: by \{([^}]*)\})?`)

// unsent tells which metrics and tags a file asks for that did not come.
func (h *heard) unsent(t *testing.T, path string, asked *int) (wrong []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatalf("%s: no JSON", path)
	}
	var plain any
	_ = json.Unmarshal(text, &plain)
	for _, q := range stringsIn(plain) {
		for _, m := range metricInQuery.FindAllStringSubmatch(q, -1) {
			*asked++
			sent, known := h.metrics[m[1]]
			if !known {
				wrong = append(wrong, path+": "+q+": nobody sent "+m[1])
			}
			for _, tag := range strings.FieldsFunc(m[2]+","+m[3], func(r rune) bool { return r == ',' }) {
				key, _, _ := strings.Cut(strings.TrimPrefix(tag, "!"), ":")
				if known && key != "*" && !sent[key] {
					wrong = append(wrong, path+": "+q+": "+m[1]+" came without the tag "+key)
				}
			}
		}
	}
	return wrong
}

// stringsIn are all strings of a JSON value that are no keys.
func stringsIn(v any) (all []string) {
	switch v := v.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, x := range v {
			all = append(all, stringsIn(x)...)
		}
	case map[string]any:
		for _, x := range v {
			all = append(all, stringsIn(x)...)
		}
	}
	return all
}
