package trial

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/live"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

// section gives a section of what is seen now, as text.
func (s *Screen) section(t *testing.T, id string) string {
	t.Helper()
	parts, err := s.Parts()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if p.ID == id {
			return string(p.HTML)
		}
	}
	t.Fatalf("no section %s", id)
	return ""
}

// whole gives the whole page as it is now.
func (s *Screen) whole(t *testing.T) string {
	t.Helper()
	now, err := s.Page()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := now.Write(&b, report.Options{Live: true}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wants demands that a text holds others.
func wants(t *testing.T, text string, others ...string) {
	t.Helper()
	for _, want := range others {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%.3000s", want, text)
		}
	}
}

// A screen says what goes on, from before the stack is ready until the verdict, whose report
// takes its place.
func TestAScreenTellsHowATrialGoes(t *testing.T) {
	s := NewScreen()
	wants(t, s.whole(t), "starting")
	of := scenario(t, "demo", "{web: {instances: 1}}", "")
	saw := s.begin(record.Run{ID: "r", Start: time.Now(), Interval: time.Second}, of, 3)
	stream := new(live.Stream)
	over := make(chan struct{})
	go func(v *live.Viewer) { defer close(over); s.watch(v) }(stream.Watch(keptBack))
	wants(t, s.section(t, "sentence"), "starting", "demo")

	saw.Event(record.Event{Kind: record.LoadBegin})
	stream.Publish(live.Event{Kind: live.Note, Text: "nobody <b> minds"})
	stream.Publish(live.Event{Kind: live.StepEnd, Step: "kill web-2", Error: "no effect within 10s"})
	stream.Publish(live.Event{Kind: live.PhaseBegin, Phase: "one instance dies", Index: 1})
	stream.Publish(live.Event{Kind: live.Tick, Status: &live.Status{PhaseLeft: 6 * time.Second, Rate: 198, Acked: 1000, Instances: []string{"web-1", "web-3"}}})
	stream.End()
	<-over
	wants(t, s.section(t, "sentence"), "running", "2/3 one instance dies · 6 s left", "198/s", "2 instances serving")
	wants(t, s.section(t, "findings"), "nobody &lt;b&gt; minds", "kill web-2 had no effect: no effect within 10s")
	saw.Event(record.Event{Kind: record.LoadEnd})
	wants(t, s.section(t, "sentence"), "settling")
	saw.Event(record.Event{Kind: record.RunEnd})
	wants(t, s.section(t, "sentence"), "judging")

	judged, err := Judge(filepath.Join(saved, "quiet"), savedBy)
	if err != nil {
		t.Fatal(err)
	}
	s.end(judged)
	wants(t, s.section(t, "sentence"), verdict.Pass.String())
	wants(t, s.Title(), "pass: demo")
	wants(t, s.section(t, "files"), "<code>"+judged.Dir+"</code>")
	wants(t, s.whole(t), verdict.Pass.String())
	if strings.Contains(s.section(t, "files"), "href") {
		t.Error("links lead to files that the page is not beside")
	}

	s.begin(record.Run{ID: "r2", Start: time.Now(), Interval: time.Second}, of, 1)
	wants(t, s.section(t, "sentence"), "starting")
	s.fail(errors.New("no such engine"))
	wants(t, s.section(t, "sentence"), "ended", "no such engine")
}

// What is done by hand has no number of phases, and no end that is known.
func TestAScreenOfWhatIsUp(t *testing.T) {
	s := NewScreen()
	saw := s.begin(record.Run{ID: "r", Start: time.Now(), Interval: time.Second}, scenario(t, "by-hand", "{web: {instances: 1}}", ""), 0)
	saw.Event(record.Event{Kind: record.LoadBegin})
	tags := regexp.MustCompile("<[^>]*>")
	s.change(func(h *report.Head) {
		show(h, live.Event{Kind: live.PhaseBegin, Phase: "2: kill web-2", Index: 2})
		show(h, live.Event{Kind: live.Tick, Status: &live.Status{Rate: 50, Acked: 10}})
	})
	now := tags.ReplaceAllString(s.section(t, "sentence"), "")
	wants(t, now, "up", "2: kill web-2", "50/s")
	if strings.Contains(now, "left") || strings.Contains(now, "/0") {
		t.Errorf("%s", now)
	}
}

// Notes do not grow beyond those that are kept, the latest.
func TestAScreenKeepsTheLatestNotes(t *testing.T) {
	var h report.Head
	for range 100 {
		show(&h, live.Event{Kind: live.Note, Text: "old"})
	}
	show(&h, live.Event{Kind: live.Note, Text: "new"})
	if len(h.Notes) != keptNotes || h.Notes[keptNotes-1] != "new" {
		t.Errorf("%q", h.Notes)
	}
}

// A run of three minutes, of which each look at the page is measured: there is one a second,
// so that 10 ms are 1 % of a core.
func BenchmarkALookAtTheScreen(b *testing.B) {
	history, err := record.Read(filepath.Join(saved, "quiet"))
	if err != nil {
		b.Fatal(err)
	}
	s := NewScreen()
	long := history.Events[len(history.Events)-1].At
	of, err := Reader{}.Read("quiet")
	if err != nil {
		b.Fatal(err)
	}
	saw := s.begin(history.Run, of, 2)
	for round := range time.Duration(12) { // one after the other, as if they were one
		shift := round * long
		for _, r := range history.Requests {
			r.Done, r.Sent, r.Due = r.Done+shift, r.Sent+shift, r.Due+shift
			saw.Request(r)
		}
		for i := range history.Series {
			one := &history.Series[i]
			for _, p := range one.Points {
				saw.Sample(p.At+shift, &collector.Sample{Name: one.Name, Labels: one.Labels, Meta: &one.Meta, Value: p.Value + float64(round)*one.Points[len(one.Points)-1].Value, Observed: p.Observed})
			}
		}
	}
	for b.Loop() {
		parts, err := s.Parts()
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range parts {
			io.WriteString(io.Discard, string(p.HTML))
		}
	}
}
