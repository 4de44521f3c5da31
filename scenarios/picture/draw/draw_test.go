package draw

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
)

const second = time.Second

// made is a run of some instances with names of their own: each acknowledges ten a
// second and counts as many as counted says of one of its seconds; below 0: it sends nothing.
func made(names []string, seconds int, counted func(instance, second int) int) picture.Snapshot {
	h := record.History{Run: record.Run{Interval: second}}
	for i, name := range names {
		h.Events = append(h.Events, record.Event{At: 0, Kind: record.Birth, Instance: name, Role: record.Web},
			record.Event{At: 100 * time.Millisecond, Kind: record.Serving, Instance: name, Role: record.Web})
		s := record.Series{Name: "a_total", Labels: collector.NewLabels("instance", name), Meta: collector.Meta{Type: collector.Counter, Sent: "a"}}
		total := 0
		for k := range seconds {
			at := time.Duration(k+1) * second
			for n := range 10 {
				h.Requests = append(h.Requests, record.Request{Route: "insert", Instance: name, Due: at - 500*time.Millisecond, Done: at - 500*time.Millisecond + time.Duration(n)*time.Millisecond, Outcome: record.Acked})
			}
			n := counted(i, k)
			total += max(0, n)
			p := record.Point{At: at, Value: float64(total), Observed: 1}
			if n < 0 {
				p.Observed = 0
			}
			s.Points = append(s.Points, p)
		}
		h.Series = append(h.Series, s)
	}
	h.Events = append(h.Events, record.Event{At: time.Duration(seconds) * second, Kind: record.RunEnd})
	return picture.Of(h, picture.Counts{Metric: "a", Route: "insert"}).Now()
}

func all(int, int) int { return 10 }

// drawings are all that a view draws, by name.
func drawings(v View) map[string]template.HTML {
	out := map[string]template.HTML{"slide": v.Slide(), "owed": v.Owed(), "lanes": v.Lanes()}
	for _, l := range v.s.Layers {
		out[l.ID] = v.Layer(l)
	}
	return out
}

// wellFormed fails for what is no XML, has a number that is none, or an element of script.
func wellFormed(t *testing.T, name string, svg template.HTML) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v in\n%.2000s", name, err, svg)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name.Local == "script" || e.Name.Local == "style" {
			t.Errorf("%s: it has a %s", name, e.Name.Local)
		}
		for _, a := range e.Attr {
			if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("%s: %s has %s=%q", name, e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	if m := regexp.MustCompile(`NaN|Inf|%!|e\+\d|="-?\d+\.\d{4,}"`).FindString(string(svg)); m != "" {
		t.Errorf("%s: %q is in it", name, m)
	}
}

// Whatever a record holds, drawings are well formed.
func TestDrawingsAreWellFormed(t *testing.T) {
	odd := record.History{
		Events: []record.Event{{At: -second, Kind: record.Birth, Instance: "web-1", Role: record.Web}, {At: math.MaxInt64, Kind: record.Interrupted},
			{At: second, Kind: record.FaultEnd, Fault: "freeze", Instance: "web-1"}, {At: second, Kind: record.PhaseEnd, Phase: "never begun"}},
		Requests: []record.Request{{Due: -second, Done: -second, Outcome: record.Acked}, {Due: math.MaxInt64, Done: math.MinInt64}, {}},
		Series: []record.Series{{Name: "a_total", Meta: collector.Meta{Type: collector.Counter, Sent: "a"}, Points: []record.Point{{At: -second, Value: math.NaN(), Observed: 1},
			{At: second, Value: math.MaxFloat64, Observed: 1}, {At: 2 * second, Value: -math.MaxFloat64, Observed: 1}}},
			{Name: record.FrontendPrefix + "req_tot", Points: []record.Point{{At: 0, Value: -math.MaxFloat64, Observed: 1}, {At: 1, Value: math.MaxFloat64, Observed: 1}, {At: math.MaxInt64, Value: 1, Observed: 1}}}},
	}
	killed, err := record.Read("../../testdata/records/killed")
	if err != nil {
		t.Fatal(err)
	}
	counts := picture.Counts{Metric: "fullstack.insert", Route: "insert"}
	for name, s := range map[string]picture.Snapshot{
		"empty": picture.New(record.Run{}, counts).Now(), "odd": picture.Of(odd, picture.Counts{}).Now(), "killed": picture.Of(killed, counts).Now(),
		"many": made(manyNames(60), 5, all), "lost": made([]string{"web-1"}, 5, func(_, k int) int { return 10 - k }), "too many": made([]string{"web-1"}, 5, func(_, k int) int { return 10 + k }),
	} {
		for what, svg := range drawings(New(s)) {
			wellFormed(t, name+": "+what, svg)
		}
	}
}

func manyNames(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("web-%d", i+1))
	}
	return names
}

// What instances are called is text, wherever it stands.
func TestNamesAreEscaped(t *testing.T) {
	hostile := `"><script>alert(1)</script>&'` + "\x1b"
	s := made([]string{hostile}, 5, all)
	s.Events = append(s.Events, record.Event{At: second, Kind: record.StepBegin, Step: "kill " + hostile}, record.Event{At: second, Kind: record.PhaseBegin, Phase: hostile},
		record.Event{At: second, Kind: record.FaultBegin, Fault: "freeze", Instance: hostile})
	for what, svg := range drawings(New(s)) {
		wellFormed(t, what, svg)
		if strings.Contains(string(svg), "\x1b") {
			t.Errorf("%s: what would move a cursor is in it", what)
		}
	}
}

var name = regexp.MustCompile(`<text class="name[^>]*>([^<]*)</text>`)

// The tops of the stack are the sums of what was counted: an instance's area begins where
// the one below it ends.
func TestSlideStacks(t *testing.T) {
	v := New(made([]string{"web-1", "web-2"}, 6, func(i, _ int) int { return 10 + 10*i }))
	slide := string(v.Slide())
	areas := regexp.MustCompile(`<path data-instance="(web-\d)"[^>]* d="([^"]*)"`).FindAllStringSubmatch(slide, -1)
	if len(areas) != 2 {
		t.Fatalf("%d areas, want 2 in\n%s", len(areas), slide)
	}
	// 30 a second, and 4 % of air, are 210 px high; so 10 are 67.3.
	px := slideHeight / (30 * 1.04) * 10
	for i, want := range [][2]float64{{slideHeight, slideHeight - px}, {slideHeight - px, slideHeight - 3*px}} {
		low, high := bounds(t, areas[i][2])
		if math.Abs(low-want[0]) > 0.11 || math.Abs(high-want[1]) > 0.11 {
			t.Errorf("%s is between %.1f and %.1f, want %.1f and %.1f", areas[i][1], low, high, want[0], want[1])
		}
	}
	var names []string
	for _, m := range name.FindAllStringSubmatch(slide, -1) {
		names = append(names, m[1])
	}
	if got := strings.Join(names, " "); got != "web-1 web-2" {
		t.Errorf("the areas are called %q", got)
	}
}

// bounds are the lowest and the highest place of a path, in pixels from the top.
func bounds(t *testing.T, d string) (low, high float64) {
	t.Helper()
	high = math.Inf(1)
	for _, point := range regexp.MustCompile(`[ML]([\d.-]+) ([\d.-]+)`).FindAllStringSubmatch(d, -1) {
		y, err := strconv.ParseFloat(point[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		low, high = max(low, y), min(high, y)
	}
	return low, high
}

// Of a fleet, those that counted most have an area, and the others one together.
func TestSlideOfMany(t *testing.T) {
	v := New(made(manyNames(60), 4, func(i, _ int) int { return 1 + i }))
	slide := string(v.Slide())
	if n := strings.Count(slide, `<path data-instance="`); n != mostStacked {
		t.Errorf("%d areas, want %d", n, mostStacked)
	}
	if !strings.Contains(slide, ">41 others</title>") || strings.Contains(slide, ">web-41</title>") || !strings.Contains(slide, ">web-60</title>") {
		t.Error("it is not those that counted most that have an area of their own")
	}
	var events []record.Event
	for k := range mostFlags + 1 {
		events = append(events, record.Event{At: time.Duration(k) * 10 * time.Millisecond, Kind: record.StepBegin, Step: fmt.Sprintf("kill web-%d", k)})
	}
	many := New(picture.Snapshot{Events: events, Bins: 1, Axis: picture.Axis{Width: second}, Acked: make([]float64, 1)})
	if flags, crowded := many.Flags(); len(flags) != len(events) || !crowded || strings.Contains(string(many.Slide()), ">✕ kill web-3<") {
		t.Errorf("%d flags, crowded %v; their labels are in the drawing", len(flags), crowded)
	}
	if n := strings.Count(string(v.Lanes()), `<svg class="lane"`); n != 60 {
		t.Errorf("%d lanes, want 60", n)
	}
}

// What never came is told with its number and drawn; what all came, is too.
func TestWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name           string
		counted        func(i, k int) int
		owed, lane     string
		missing, extra bool
	}{
		{"nothing", all, "0 never came", "✓ all 60 counted", false, false},
		{"a second", func(_, k int) int { return map[bool]int{true: 0, false: 10}[k == 3] }, "10 never came", "50 of 60 counted", true, false},
		{"the end", func(_, k int) int { return map[bool]int{true: -1, false: 10}[k >= 4] }, "20 never came", "40 of 60 counted", true, false},
		{"twice", func(_, k int) int { return map[bool]int{true: 20, false: 10}[k == 3] }, "10 more than acknowledged", "70 of 60 counted", false, true},
		{"two seconds in one", func(_, k int) int { return []int{10, 10, -1, 20, 10, 10}[k] }, "0 never came", "✓ all 60 counted", false, false},
	} {
		v := New(made([]string{"web-1"}, 6, c.counted))
		slide := string(v.Slide())
		if v.Missing() != c.missing || strings.Contains(slide, `<path class="never"`) != c.missing {
			t.Errorf("%s: missing is %v, want %v", c.name, v.Missing(), c.missing)
		}
		if v.TooMany() != c.extra || strings.Contains(slide, `<path class="many"`) != c.extra {
			t.Errorf("%s: too many is %v, want %v", c.name, v.TooMany(), c.extra)
		}
		for what, want := range map[string]struct {
			svg  template.HTML
			text string
		}{"owed": {v.Owed(), c.owed}, "lane": {v.Lanes(), c.lane}} {
			if !strings.Contains(string(want.svg), want.text+"<") {
				t.Errorf("%s: the drawing of %s does not say %q:\n%s", c.name, what, want.text, want.svg)
			}
		}
	}
}

// What was accounted for is no bad sign.
func TestExplained(t *testing.T) {
	v := New(made([]string{"web-1"}, 6, func(_, k int) int { return map[bool]int{true: 0, false: 10}[k == 3] })).Explained("client-buffer-at-sigkill")
	if owed := string(v.Owed()); !strings.Contains(owed, ">10 never came, allowed: client-buffer-at-sigkill<") || strings.Contains(owed, `class="end bad"`) {
		t.Errorf("%s", owed)
	}
	if lanes := string(v.Lanes()); strings.Contains(lanes, `class="end halo bad`) {
		t.Errorf("%s", lanes)
	}
}

// While a run goes on, something is owed; but not by who is gone.
func TestOwedAndGone(t *testing.T) {
	s := made([]string{"web-1", "web-2"}, 6, func(_, k int) int { return map[bool]int{true: -1, false: 10}[k >= 2] })
	s.Over = false
	s.Events = append(s.Events, record.Event{At: 2500 * time.Millisecond, Kind: record.Death, Instance: "web-2", Role: record.Web, Signal: "SIGKILL", Expected: true})
	lanes := string(New(s).Lanes())
	for _, want := range []string{">40 owed<", ">20 of 60 counted<"} {
		if strings.Count(lanes, want) != 1 {
			t.Errorf("the lanes do not say %s once:\n%s", want, lanes)
		}
	}
}

// Nor is what may be requests of unknown outcome.
func TestMoreThanAcknowledged(t *testing.T) {
	s := made([]string{"web-1"}, 6, func(_, k int) int { return map[bool]int{true: 12, false: 10}[k == 3] })
	s.Unknown = 3
	if owed := string(New(s).Owed()); !strings.Contains(owed, ">2 more than acknowledged, allowed: of 3 nobody knows<") || strings.Contains(owed, `class="end bad"`) {
		t.Errorf("%s", owed)
	}
}

// Steps, faults and deaths are flags, each with a sign beside its color.
func TestFlags(t *testing.T) {
	at := func(k int, kind record.Kind, e record.Event) record.Event {
		e.At, e.Kind = time.Duration(k)*second, kind
		return e
	}
	flags := flagsOf([]record.Event{
		at(1, record.StepBegin, record.Event{Step: "kill web-2"}), at(2, record.Death, record.Event{Instance: "web-2", Role: record.Web, Expected: true}), at(2, record.StepEnd, record.Event{Step: "kill web-2"}),
		at(3, record.StepBegin, record.Event{Step: "launch 2"}), at(3, record.Birth, record.Event{Instance: "web-4"}), at(3, record.Birth, record.Event{Instance: "web-5"}), at(4, record.StepEnd, record.Event{Step: "launch 2"}),
		at(5, record.StepBegin, record.Event{Step: "fault freeze on web-1"}), at(5, record.FaultBegin, record.Event{Fault: "freeze", Instance: "web-1"}), at(6, record.StepBegin, record.Event{Step: "heal freeze"}), at(6, record.FaultEnd, record.Event{Fault: "freeze", Instance: "web-1"}),
		at(7, record.Death, record.Event{Instance: "web-3", Role: record.Web}), at(8, record.FaultBegin, record.Event{Fault: "drop-datagrams"}), at(9, record.FaultEnd, record.Event{Fault: "drop-datagrams"}),
		at(10, record.StepBegin, record.Event{Step: "fault reload-lb"}), at(10, record.FaultBegin, record.Event{Fault: "reload-lb"}), at(10, record.FaultEnd, record.Event{Fault: "reload-lb"}),
	})
	var got []string
	for _, f := range flags {
		got = append(got, fmt.Sprintf("%.0f %s %s (%s)", f.At, f.Sign, f.Label, f.Kind))
	}
	want := []string{"1 ✕ kill web-2 (end)", "3 ▲ launch web-4, web-5 (begin)", "5 ⚡ freeze on web-1 (fault)", "6 ◇ heal freeze (fault)", "7 ! web-3 died by itself (trouble)", "8 ⚡ drop-datagrams (fault)", "9 ◇ drop-datagrams ends (fault)", "10 ⚡ reload-lb (fault)"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("flags\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestScales(t *testing.T) {
	for _, c := range []struct {
		low, high, height float64
		want              string
	}{{0, 262, 210, "0 100 200"}, {0, 0, 100, "0 0.5 1"}, {0, 60, 84, "0 50"}, {-3, 8, 84, "0 5"}, {0, 0.7, 96, "0 0.5"}, {0, math.Inf(1), 96, ""}, {math.NaN(), 5, 96, "0 5"}} {
		var got []string
		s := linear(c.low, c.high, c.height)
		for _, tick := range s.ticks() {
			got = append(got, amount(tick))
			if y := s.y(tick); !(y > -1e-9 && y < c.height+1e-9) {
				t.Errorf("%v to %v: %v is at %v", c.low, c.high, tick, y)
			}
		}
		if len(got) == 0 || c.want != "" && strings.Join(got, " ") != c.want {
			t.Errorf("%v to %v has the ticks %q, want %q", c.low, c.high, got, c.want)
		}
	}
	for x, want := range map[float64]string{1234567: "1,234,567", 0.25: "0.25", 1.5: "1.5", -12: "−12", 0: "0", 0.001: "0.001", math.NaN(): "–"} {
		if got := amount(x); got != want {
			t.Errorf("%v is written %q, want %q", x, got, want)
		}
	}
	for _, c := range []struct {
		seconds, step float64
		want          string
	}{{4, 2, "4 s"}, {0.5, 0.5, "0.5 s"}, {150, 30, "2:30"}, {600, 300, "10 min"}, {7200, 3600, "2 h"}} {
		if got := clock(c.seconds, c.step); got != c.want {
			t.Errorf("%v s is written %q, want %q", c.seconds, got, c.want)
		}
	}
}
