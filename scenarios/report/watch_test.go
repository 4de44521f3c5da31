package report

import (
	"strings"
	"testing"
	"time"

	"throughline/live"
)

// What a stream tells is what the terminal shows, and what it could not show is said.
func TestWatch(t *testing.T) {
	status := &live.Status{Acked: 120, Rate: 60, P50: time.Millisecond, P99: 2 * time.Millisecond, Instances: []string{"web-1"}}
	told := []live.Event{
		{Kind: live.Begin, Scenario: &live.Scenario{Name: "quiet", About: "Nothing happens.", Seed: 7, Dir: "runs/x", Phases: 1}},
		{Kind: live.Note, Text: "starting the stack"},
		{Kind: live.PhaseBegin, Phase: "only"},
		{Kind: live.StepEnd, Step: "kill web-1", Took: time.Second},
		{Kind: live.StepEnd, Step: "launch 1", Took: time.Second, Error: "no effect within 1s"},
		{Kind: live.Tick, Status: status},
		{Kind: live.PhaseEnd, Took: 2 * time.Second, Status: status},
	}
	var direct strings.Builder
	p := NewProgress(&direct, false)
	for _, e := range told {
		p.show(e)
	}
	for _, want := range []string{"quiet: Nothing happens.\n", "seed 7, record in runs/x", "starting the stack", "kill web-1  (took effect", "launch 1  FAILED after", "1/1 only", "120 acked (60/s)"} {
		if !strings.Contains(direct.String(), want) {
			t.Errorf("no %q in\n%s", want, direct.String())
		}
	}
	for name, c := range map[string]struct {
		room int
		want string
	}{
		"all":  {len(told), direct.String()},
		"last": {1, "  6 events are not shown: the output did not keep up; the record has them\n"},
	} {
		var stream live.Stream
		v := stream.Watch(c.room)
		for _, e := range told {
			stream.Publish(e)
		}
		stream.End()
		var out strings.Builder
		NewProgress(&out, false).Watch(v)
		if !strings.HasPrefix(out.String(), c.want) {
			t.Errorf("%s: shows\n%s\nwant\n%s", name, out.String(), c.want)
		}
	}
}

// Who follows a stream sees what is told from then on, and all of it before it has ended.
func TestFollow(t *testing.T) {
	var (
		stream live.Stream
		out    strings.Builder
	)
	stream.Publish(live.Event{Kind: live.Note, Text: "before"})
	shown := Follow(&out, func(string) string { return "" }, &stream)
	stream.Publish(live.Event{Kind: live.Note, Text: "one"})
	stream.Publish(live.Event{Kind: live.Note, Text: "two"})
	stream.End()
	shown()
	if got := out.String(); got != "  one\n  two\n" {
		t.Errorf("it shows %q", got)
	}
}
