package trial

import (
	"context"
	"fmt"
	"html/template"
	"sync"
	"time"

	"throughline/live"
	"throughline/scenarios/picture"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/script"
)

// Screen is what can be seen of trials while they go on, one after the other: a page that
// becomes the report when a trial has its verdict. Its methods may be called by several
// goroutines at once, and before the first trial begins. It keeps nobody waiting who runs or records.
type Screen struct {
	mu      sync.Mutex
	picture *picture.Picture
	head    report.Head
	ended   func() (over, error) // the report; nil: there is none yet
}

// over is a report as it is seen.
type over struct {
	page  report.Page
	parts []report.Part
}

// Title says in a few words what is seen.
func (s *Screen) Title() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.State + ": " + s.head.Scenario
}

// keptNotes is how many notes of a run are shown, the latest.
const keptNotes = 20

// NewScreen shows that something starts.
func NewScreen() *Screen {
	return &Screen{picture: picture.New(record.Run{Start: time.Now()}, picture.Counts{}), head: report.Head{Scenario: "Throughline", State: "starting"}}
}

// begin shows another run from now on, of so many phases, and gives who is to see what it records.
func (s *Screen) begin(r record.Run, of script.Scenario, phases int) record.Observer {
	counts := picture.Counts{}
	if all := script.Promised[script.Conservation](of); len(all) > 0 {
		counts = picture.Counts{Metric: all[0].Metric, Route: all[0].Route, Role: report.CountingRole(of, all[0].Route)}
	}
	counts.Fleet, counts.Agent = report.FleetOf(of), report.AgentOf(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.picture, s.ended = picture.New(r, counts), nil
	s.head = report.Head{Scenario: of.Name, About: of.About, State: "starting", Phases: phases}
	return observer{s.picture, s}
}

// observer sees what is recorded: the picture does, and the screen which stage the run has come to.
type observer struct {
	*picture.Picture
	screen *Screen
}

// What a page says of a run that goes on until its phases are over, or until somebody ends it.
const (
	running = "running"
	up      = "up"
)

// stages are what a run does from an event on.
var stages = map[record.Kind]string{record.LoadBegin: running, record.LoadEnd: "settling", record.RunEnd: "judging"}

// Event implements record.Observer.
func (o observer) Event(e record.Event) {
	o.Picture.Event(e)
	if stage, ok := stages[e.Kind]; ok {
		o.screen.change(func(h *report.Head) {
			if h.State, h.Left = stage, 0; stage == running && h.Phases == 0 {
				h.State = up
			}
		})
	}
}

// watch shows what a viewer sees, until it sees no more.
func (s *Screen) watch(v *live.Viewer) {
	for {
		e, _, err := v.Next(context.Background()) // whoever publishes ends the stream
		if err != nil {
			return
		}
		s.change(func(h *report.Head) { show(h, e) })
	}
}

func (s *Screen) change(how func(*report.Head)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(&s.head)
}

// show puts an event of a run into words.
func show(h *report.Head, e live.Event) {
	switch e.Kind {
	case live.PhaseBegin:
		h.Phase, h.PhaseIndex, h.Left = e.Phase, e.Index, 0
	case live.Tick:
		now := e.Status
		h.Left, h.Elapsed, h.Rate, h.P99 = now.PhaseLeft, now.Elapsed, now.Rate, now.P99
		h.Acked, h.Refused, h.Unknown, h.Instances = now.Acked, now.Refused, now.Unknown, now.Instances
	case live.StepEnd:
		if e.Error != "" {
			note(h, fmt.Sprintf("%s had no effect: %s", e.Step, e.Error))
		}
	case live.Note:
		note(h, e.Text)
	}
}

func note(h *report.Head, text string) {
	h.Notes = append(h.Notes[max(0, len(h.Notes)-keptNotes+1):len(h.Notes):len(h.Notes)], text) // others may read the old ones
}

// end shows the report of a trial that has its verdict. It is made when somebody looks.
func (s *Screen) end(j Judged) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head.State = j.Verdict.Outcome.String()
	s.ended = sync.OnceValues(func() (over, error) {
		o := over{page: report.Ended(j.History, j.Verdict)}
		var err error
		o.parts, err = o.page.Parts()
		for i, p := range o.parts {
			if p.ID == filesPart { // its links lead into the record's directory, where this page is not
				o.parts[i].HTML = template.HTML("<p>The record, and this report, are in <code>" + template.HTMLEscapeString(j.Dir) + "</code>.</p>") //nolint:gosec // it is escaped
			}
		}
		return o, err
	})
}

// filesPart is the section of a report that leads to its files.
const filesPart = "files"

// fail shows why there is no verdict.
func (s *Screen) fail(err error) {
	s.change(func(h *report.Head) { h.State, h.Error = "ended", err.Error() })
}

// Page is the page as it is now.
func (s *Screen) Page() (report.Page, error) {
	s.mu.Lock()
	p, head, ended := s.picture, s.head, s.ended
	s.mu.Unlock()
	if ended != nil {
		o, err := ended()
		return o.page, err
	}
	return report.Running(p.Now(), head), nil
}

// Parts are the parts of the page as they are now.
func (s *Screen) Parts() ([]report.Part, error) {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended != nil {
		o, err := ended()
		return o.parts, err
	}
	now, err := s.Page()
	if err != nil {
		return nil, err
	}
	return now.Parts()
}
