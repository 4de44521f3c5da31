package run

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/pipeline"
	"throughline/collector/statsd"
	"throughline/compose/platformtest"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// A scenario's style of tags is one that the collector knows.
func TestStylesOfTags(t *testing.T) {
	if !slices.Equal(script.TagStyles(), dogstatsd.StyleNames) {
		t.Errorf("a scenario may say %v, the collector knows %v", script.TagStyles(), dogstatsd.StyleNames)
	}
}

// statsdOf is where lines come in at a collector of this process.
func statsdOf(t *telemetry) *statsd.Collector {
	return t.collector().engine.(*pipeline.Pipeline).StatsD
}

// The collector of a run understands what its scenario says of tags, and what it
// does not understand is in the record.
func TestTagsInNamesReachTheRecord(t *testing.T) {
	for tags, want := range map[string][]string{
		"influxdb": {"hits_total zone=b"},
		"":         {"hits_zone_b_total zone=", "throughline_collector_findings tags_in_name hits influxdb"},
	} {
		dir := t.TempDir()
		c := Config{Platform: platformtest.NewMemory(dir, nil), Scratch: dir, Scenario: script.Scenario{Stack: script.Stack{Tags: tags}},
			Run: record.Run{ID: "r", Start: time.Now(), Interval: 100 * time.Millisecond}}
		w, err := record.Create(filepath.Join(dir, "run"), c.Run, []byte("scenario: x\n"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := newTelemetry(c, &journal{record: w})
		if err != nil {
			t.Fatal(err)
		}
		defer s.collector().Close()
		addr, err := s.listen("web-1", collector.Labels{})
		if err != nil {
			t.Fatal(err)
		}
		sender, err := net.Dial("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sender.Write([]byte("hits,zone=b:1|c")); err != nil {
			t.Fatal(err)
		}
		sender.Close()
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- s.collector().Run(ctx) }()
		for deadline := time.Now().Add(30 * time.Second); statsdOf(s).Figures().Total.Lines == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the line does not come")
			}
		}
		flushes := statsdOf(s).Figures().Flushes
		for deadline := time.Now().Add(30 * time.Second); statsdOf(s).Figures().Flushes < flushes+2; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing is flushed")
			}
		}
		cancel()
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, recordedOf(t, filepath.Join(dir, "run"))); diff != "" {
			t.Errorf("tags: %q (-want +got):\n%s", tags, diff)
		}
	}
}

// recordedOf are the series of a run about hits, and the collector's findings.
func recordedOf(t *testing.T, dir string) (out []string) {
	t.Helper()
	h, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Series {
		switch l := s.Labels; {
		case s.Meta.Sent != "":
			out = append(out, s.Name+" zone="+l.Get("zone"))
		case l.Get("kind") != "":
			out = append(out, s.Name+" "+l.Get("kind")+" "+l.Get("metric")+" "+l.Get("other"))
		}
	}
	slices.Sort(out)
	return out
}
