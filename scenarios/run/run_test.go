package run

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
	"throughline/live"
	"throughline/loadgen"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Whole runs are tested where the binary is that they start: in cmd/throughline.

func TestZonesAreDealtInTurn(t *testing.T) {
	var got []string
	for number := 1; number <= 4; number++ {
		got = append(got, zoneOf(number))
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The end waits for as long as the most patient check lets counts be late.
func TestQuietIsTheLongestAllowance(t *testing.T) {
	c := Config{Run: record.Run{Interval: time.Second}}
	if got := c.settleTime(); got != time.Second {
		t.Errorf("without a conservation check: %v, want an interval", got)
	}
	c.Scenario.Checks = []script.Check{
		{Promise: script.Continuity{MaxGap: time.Minute}},
		{Promise: script.Conservation{ClientWindow: 3 * time.Second, MaxLag: time.Second}},
		{Promise: script.Conservation{ClientWindow: 100 * time.Millisecond, MaxLag: 2 * time.Second}},
	}
	if got := c.settleTime(); got != 4*time.Second {
		t.Errorf("quiet %v, want 4s", got)
	}
}

func TestShapeOf(t *testing.T) {
	for _, c := range []struct {
		load script.Load
		at   time.Duration
		want float64
	}{
		{script.Load{Shape: script.Constant, Rate: 20}, time.Hour, 20},
		{script.Load{Shape: script.Sine, Rate: 20, Swing: 10, Period: 4 * time.Second}, time.Second, 30},
		{script.Load{Shape: script.Ramp, Rate: 10, To: 30, Over: 2 * time.Second}, time.Second, 20},
		{script.Load{Shape: script.Steps, Levels: []script.Level{{Rate: 10, For: time.Second}, {Rate: 40, For: time.Second}}}, 1500 * time.Millisecond, 40},
	} {
		shape, err := formOf(c.load).Shape()
		if err != nil {
			t.Errorf("%+v: %v", c.load, err)
			continue
		}
		if got := shape.Rate(c.at); got < c.want-1e-6 || got > c.want+1e-6 {
			t.Errorf("%s at %v: %v/s, want %v/s", c.load.Shape, c.at, got, c.want)
		}
	}
	if _, err := formOf(script.Load{Shape: script.Sine, Rate: 1, Swing: 5, Period: time.Second}).Shape(); err == nil {
		t.Error("a rate that falls below zero was taken")
	}
}

func TestFigures(t *testing.T) {
	due := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var s stretch
	for ms := 1; ms <= 100; ms++ {
		row := loadgen.Row{Due: due, Done: due.Add(time.Duration(101-ms) * time.Millisecond), Outcome: loadgen.Acked}
		if ms == 8 {
			row.Outcome = loadgen.Unknown
		}
		s.add(row)
	}
	var got live.Status
	s.figures(&got, 2*time.Second)
	if want := (live.Status{Rate: 49.5, P50: 51 * time.Millisecond, P99: 100 * time.Millisecond}); !cmp.Equal(want, got) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var none live.Status
	if new(stretch).figures(&none, time.Second); !cmp.Equal(live.Status{}, none) {
		t.Errorf("no rows give %+v", none)
	}
}

// An answer that acknowledges nothing is called by its class; unknown is what got none.
func TestPhaseCountsAnswersByTheirClass(t *testing.T) {
	u := &users{serving: func() []string { return nil }}
	for _, r := range []loadgen.Row{
		{Outcome: loadgen.Acked, Status: 200}, {Outcome: loadgen.Refused, Status: 503}, {Outcome: loadgen.Unknown, Status: 404},
		{Outcome: loadgen.Unknown, Status: 404}, {Outcome: loadgen.Unknown}, {Outcome: loadgen.Unknown, Status: 200}, {Outcome: loadgen.Unknown, Status: 500},
	} {
		u.phase.add(r)
	}
	got := u.endPhase(time.Second)
	if got.Acked != 1 || got.Refused != 1 || got.Unknown != 2 || got.Answered != [6]uint64{4: 2, 5: 1} {
		t.Errorf("%+v", got)
	}
}

// The outcomes of the load generator and those of the record are two types,
// because neither package may know the other.
func TestEveryOutcomeIsRecordedAsItself(t *testing.T) {
	for from, to := range outcomes {
		if from.String() != to.String() {
			t.Errorf("%v is recorded as %v", from, to)
		}
	}
	if len(outcomes) != 3 {
		t.Errorf("%d outcomes are known, want 3", len(outcomes))
	}
}

func TestWebProgram(t *testing.T) {
	for _, c := range []struct {
		web  script.Web
		want compose.Program
	}{
		{script.Web{}, compose.Program{Self: []string{"app"}}},
		{script.Web{Defect: "late"}, compose.Program{Self: []string{"app", "--defect", "late"}}},
		{script.Web{Command: []string{"python3", "app.py"}}, compose.Program{Command: []string{"python3", "app.py"}, Dir: "some/dir"}},
	} {
		got := WebProgram(c.web, "some/dir")
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// What an instance is told is a contract: anybody's app can be the patient.
func TestWhatAnInstanceIsTold(t *testing.T) {
	c := Config{}
	web := script.Web{Health: "/up", Env: map[string]string{"MODE": "test", "ZONE": "mine"}}
	got, err := c.webInstance(web, 2, "127.0.0.1:8125", "mongodb://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	want := compose.Instance{
		Name: "web-2", Program: compose.Program{Self: []string{"app"}}, Ports: map[string]int{"http": 0},
		Ready: compose.Probe{Port: "http", Path: "/up", Within: startLimit},
		Env: map[string]string{
			"HOST": "{{.Host}}", "PORT": "{{.Port}}", "INSTANCE": "{{.Name}}", "ZONE": "mine", "MODE": "test",
			"STATSD_HOST": "127.0.0.1", "STATSD_PORT": "8125",
			"DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_PORT": "8125", "DD_DOGSTATSD_URL": "udp://127.0.0.1:8125",
			"DD_TAGS": "role:web,zone:b", "MONGODB_URI": "mongodb://127.0.0.1:1",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	web.Version = "v2"
	want.Env["VERSION"], want.Env["DD_TAGS"] = "v2", "role:web,zone:b,version:v2"
	if got, err = c.webInstance(web, 2, "127.0.0.1:8125", "mongodb://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of a version (-want +got):\n%s", diff)
	}
}

// What an image executes was looked for before the stack came up; another one was not.
func TestTheImageOfAVersion(t *testing.T) {
	c := Config{Web: map[string]compose.Program{"shop:2": {Command: []string{"/shop"}, Image: "shop:2"}}}
	if got, err := c.webProgram(script.Web{Image: "shop:2"}); err != nil || got.Image != "shop:2" || got.Command[0] != "/shop" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.webProgram(script.Web{Image: "shop:3"}); err == nil || !strings.Contains(err.Error(), "image shop:3: it was not looked for") {
		t.Errorf("%+v, %v", got, err)
	}
}

// A step that says `within: 2m` gives an instance that long to be ready, and one that
// says less ends before the instance's time does.
func TestAStepDecidesHowLongAStartMayTake(t *testing.T) {
	for within, want := range map[time.Duration]time.Duration{0: startLimit, time.Second: startLimit, 2 * time.Minute: 2 * time.Minute} {
		ctx := t.Context()
		if within > 0 {
			limited, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			ctx = limited
		}
		if got := startWithin(ctx).Round(time.Minute / 2); got != want {
			t.Errorf("within %v: ready within %v, want %v", within, got, want)
		}
	}
}
