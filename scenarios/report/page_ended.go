package report

import (
	"cmp"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/metric"
	"throughline/scenarios/picture"
	"throughline/scenarios/picture/draw"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Ended is the page of a run that is over: the report.
func Ended(h record.History, v verdict.Verdict) Page {
	counts := picture.Counts{Metric: metric.Ref(v.Ledgers.Web.Metric), Route: v.Ledgers.Users.Route}
	if ran, err := script.Parse(h.Run.File, h.Scenario, script.Options{Ran: true}); err == nil { // else the verdict says so
		counts.Fleet, counts.Agent = FleetOf(ran), AgentOf(ran)
		counts.Role = CountingRole(ran, counts.Route)
	}
	s := picture.Of(h, counts).Now()
	view := draw.New(s).Explained(explainedBy(v))
	told := newFindings(v)
	return Page{
		title: v.Outcome.String() + ": " + scenarioName(v),
		sections: []section{
			{"sentence", "The verdict", endedSentence(h, v)},
			{"numbers", "Four numbers", endedNumbers(h, v)},
			{"slide", "What was counted, and what had been acknowledged", newSlide(view, s, told.spans)},
			{"instances", "The instances", endedInstances(view, h, v)},
			{"findings", "Findings by cause", told},
			{"layers", "The layers", newLayers(view, s)},
			{"ledger", "The ledgers side by side", endedLedger(h, v)},
			{"alerts", "The alerts", newAlerts(h, v)},
			{"journal", "What happened, and when", newJournal(h.Events, v.Alerts)},
			{"scenario", "The scenario as it was run", newSource(h, v)},
			{"files", "Where the data is", filesOf(h)},
		},
	}
}

// AgentOf is what tells of CPU from inside the instances of a scenario; nil: nobody that a check names.
func AgentOf(s script.Scenario) *picture.Agent {
	for _, c := range script.Promised[script.TwoViews](s) {
		if c.Agent != "" {
			return &picture.Agent{Metric: c.Agent, Unit: c.Unit}
		}
	}
	return nil
}

// FleetOf is what the size of a scenario's fleet is held against in its picture; nil: nothing.
func FleetOf(s script.Scenario) *picture.Fleet {
	route, ok := s.ScaledBy()
	if !ok {
		return nil
	}
	return &picture.Fleet{Policy: s.Autoscale.Policy, Route: route}
}

// explainedBy names what the differences between users and application were booked to;
// empty: there is one that is unexplained, or the run proves nothing.
func explainedBy(v verdict.Verdict) string {
	if v.Outcome != verdict.Pass || v.Unexplained != 0 {
		return ""
	}
	var causes []string
	for _, r := range v.Residuals {
		if _, to := r.Layers(); to == record.LayerWeb && r.Lost+r.Extra != 0 && !slices.Contains(causes, printable(r.Cause)) {
			causes = append(causes, printable(r.Cause))
		}
	}
	if len(causes) == 0 {
		return "explained"
	}
	return strings.Join(causes, ", ")
}

// fact is something that is known of the run.
type fact struct{ Name, Value string }

// sentenceView is the head of the page.
type sentenceView struct {
	Outcome  string // a word
	Tone     string // how the head looks: "pass", "fail", "inconclusive", "running"
	Scenario string
	Title    template.HTML
	Sentence template.HTML
	Checks   string // whose they are; "" = the run's own
	Damage   []string
	Error    string // of a run that goes on
}

func endedSentence(h record.History, v verdict.Verdict) sentenceView {
	s := sentenceView{Outcome: v.Outcome.String(), Tone: v.Outcome.String(), Scenario: scenarioName(v), Title: whole(cmp.Or(v.Title, scenarioName(v))), Checks: otherChecks(v)}
	if v.Title == "" {
		s.Scenario = "" // it is the title
	}
	s.Sentence = whole(cmp.Or(v.Sentence, counts(v)))
	for _, d := range h.Damage {
		s.Damage = append(s.Damage, printable(d))
	}
	return s
}

// numbered is a word that ends in a number, as instances are called.
var numbered = regexp.MustCompile(`[a-z]+(?:-[a-z]+)*-\d+`)

// whole is a text whose names are not broken at the ends of lines.
func whole(s string) template.HTML {
	return template.HTML(numbered.ReplaceAllString(template.HTMLEscapeString(printable(s)), `<span class="nobr">$0</span>`)) //nolint:gosec // escaped
}

// slideView is the slide, and what is owed.
type slideView struct {
	Slide, Owed template.HTML
	Metric      string
	Route       string
	Never, Many bool // something never came, or was counted too often
	Allowed     bool // which is accounted for
	Spans       []string
	Flags       []draw.Flag
	Crowded     bool // not all flags are labelled in the drawing
	Numbers     draw.Table
	Bin         string // how long a bin is, where it is longer than an interval
}

func newSlide(view draw.View, s picture.Snapshot, spans []string) slideView {
	out := slideView{Slide: view.Slide(), Owed: view.Owed(), Metric: printable(string(s.Counts.Metric)), Route: printable(s.Counts.Route),
		Spans: spans, Numbers: view.SlideNumbers()}
	out.Flags, out.Crowded = view.Flags()
	out.Never, out.Many, out.Allowed = view.Missing(), view.TooMany(), view.Allowed()
	if s.Run.Interval > 0 && s.Axis.Width > s.Run.Interval {
		out.Bin = words.Seconds(s.Axis.Width)
	}
	return out
}

// layersView are the layers, each in a small drawing.
type layersView struct {
	Layers []layerView
	None   []string // the layers of which nothing is known
}

type layerView struct {
	ID, Title, Unit string
	Drawing         template.HTML
	Keys            []keyView
	Numbers         draw.Table
}

type keyView struct {
	Key  template.HTML
	Name string
}

func newLayers(view draw.View, s picture.Snapshot) layersView {
	var out layersView
	for _, l := range s.Layers {
		l.Lines = slices.DeleteFunc(slices.Clone(l.Lines), func(line picture.Line) bool { return !line.Any() })
		if len(l.Lines) == 0 {
			out.None = append(out.None, l.Title)
			continue
		}
		shown := layerView{ID: l.ID, Title: l.Title, Unit: l.Unit, Drawing: view.Layer(l), Numbers: view.LayerNumbers(l)}
		for i, line := range l.Lines {
			shown.Keys = append(shown.Keys, keyView{draw.Key(i), printable(line.Name)})
		}
		out.Layers = append(out.Layers, shown)
	}
	return out
}

// instancesView are the instances' lives, and their numbers.
type instancesView struct {
	Lanes  template.HTML
	Many   bool // so many that one wants to look for one
	Frozen bool // one was
	Rows   []instanceRow
	Note   string
	Booked []string // to no instance
}

// manyLanes is from how many on there is a field to look for one.
const manyLanes = 12

func endedInstances(view draw.View, h record.History, v verdict.Verdict) any {
	out := instancesView{Lanes: view.Lanes(), Frozen: view.Frozen(), Rows: instanceRows(h, v), Note: instanceNote(v), Booked: unplaced(v)}
	out.Many = len(out.Rows) > manyLanes
	if len(out.Rows) == 0 && len(out.Booked) == 0 {
		return nil
	}
	return out
}

// journalView is the journal as a table.
type journalView struct {
	Moves []move
	More  int // that are not shown
}

// mostMoves is how many lines of a journal are shown.
const mostMoves = 1000

func newJournal(events []record.Event, alerts []verdict.Alert) journalView {
	more := max(0, len(events)-mostMoves)
	events = events[:len(events)-more]
	return journalView{alertMoves(journalMoves(record.History{Events: events}), events, alerts), more}
}
