package script

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// defaultWithin is how long a step may take until it has had its effect, beside the time that an instance has to stop.
const defaultWithin = 10 * time.Second

const wantPhases = "a list of phases, like [{phase: warm-up, for: 8s}]"

func (r *reader) phases(v value, s *Scenario) {
	f := newFleet(s.Stack.Web.Instances)
	f.noDatabase, f.stop = s.Stack.Mongo == MongoNone, s.Stack.Web.Stop
	first := map[string]Pos{}
	for _, item := range v.list(wantPhases, "phase") {
		p := r.phase(item, f)
		if there, twice := first[p.Name]; twice && p.Name != "" {
			item.failf("there is a phase %s already, in line %d: want a name of its own", quote(p.Name), there.Line)
		}
		first[p.Name] = p.Pos
		s.Phases = append(s.Phases, p)
	}
	if total := s.Duration(); total > MaxDuration {
		v.failf("last %s together: want at most %s", show(total), show(MaxDuration))
	}
}

func (r *reader) phase(v value, f *fleet) Phase {
	p := Phase{Pos: v.at}
	before := len(r.errs)
	m, ok := v.mapping("phase", "do", "for", "require")
	if len(r.errs) > before {
		f.lost = true // the unknown key may have been meant as do
	}
	if !ok {
		return p
	}
	m.require("phase", "for")
	if v, ok := m.get("phase"); ok {
		p.Name = v.line("text")
		if p.Name == WholeRun {
			v.failf("%q means the whole run in checks: want another name", WholeRun)
		}
	}
	if v, ok := m.get("do"); ok {
		p.Do = v.steps(f)
	}
	p.For = m.duration("for", shortest, 0)
	if v, ok := m.get("require"); ok {
		p.Require = v.requirement()
	}
	return p
}

func (v value) requirement() Require {
	m, ok := v.mapping("users")
	if !ok {
		return Require{}
	}
	m.require("users")
	users, ok := m.get("users")
	if !ok {
		return Require{}
	}
	return Require{Users: users.rate(false), Pos: users.at}
}

// steps reads `do`: a list of steps or a single one.
func (v value) steps(f *fleet) []Step {
	items := []value{v}
	if _, one := v.node.(*ast.MappingNode); !one {
		items = v.list("a list of steps, like [{kill: web-2}]", "do")
	}
	var steps []Step
	for _, item := range items {
		item.name = "do"
		if step, ok := item.step(f); ok {
			steps = append(steps, step)
		} else {
			f.lost = true
		}
	}
	return steps
}

var stepKinds = []string{string(Kill), string(Terminate), string(Launch), string(Replace), string(Scale), string(Limit), string(BeginFault), string(Heal)}

func (v value) step(f *fleet) (Step, bool) {
	before := len(v.r.errs)
	m, ok := v.mapping(slices.Concat(stepKinds, []string{"cpus", "within", "drain"}, faultKeys)...)
	if !ok || len(v.r.errs) > before {
		return Step{}, false
	}
	step := Step{Pos: v.at}
	var what value
	for _, kind := range stepKinds {
		if moved, ok := m.get(kind); ok {
			if step.Kind != "" {
				v.failf("%s and %s in one step: write two steps", step.Kind, kind)
				return Step{}, false
			}
			step.Kind, what = StepKind(kind), moved
		}
	}
	switch step.Kind {
	case "":
		v.failf("no step here: want one of %s", list(stepKinds))
	case Launch, Scale:
		step.Count = what.count(1, MaxInstances)
	case BeginFault:
		m.fault(what, &step)
	case Heal:
		step.Fault.Name = what.oneOf(slices.Sorted(maps.Keys(faults))...)
	default:
		step.Instance = what.line("the name of an instance, like web-2")
	}
	step.Within = m.duration("within", shortest, step.Kind.within(f.stop))
	v.cpus(m, &step)
	if step.Kind != "" && step.Kind != BeginFault {
		m.refuse(step.Kind, faultKeys...)
	}
	if v, ok := m.get("drain"); ok && step.Kind == Terminate {
		step.Abrupt = v.oneOf("yes", "no") == "no"
	} else if ok && step.Kind != "" {
		m.refuse(step.Kind, "drain")
	}
	if len(v.r.errs) > before {
		return Step{}, false
	}
	if err := f.move(step); err != nil {
		what.r.failf(what.at, "%v", err)
	}
	return step, true
}

// within is how long a move of this kind may take where the file does not say: one that asks an instance to end has to
// give it its time.
func (k StepKind) within(stop time.Duration) time.Duration {
	switch k {
	case Terminate, Replace, Scale:
		return defaultWithin + stop
	}
	return defaultWithin
}

// refuse complains about keys that say nothing about this kind of step.
func (m mapping) refuse(kind StepKind, keys ...string) {
	for _, key := range keys {
		if v, ok := m.get(key); ok {
			v.failf("does not fit %s: remove it", kind)
		}
	}
}

// fleet plays the moves through: who would be alive at that point, if every step did what it is meant to do.
type fleet struct {
	live []string // in the order of their numbers
	last int      // the highest number ever given
	// faults are those that have begun and are not healed.
	faults     []string
	lost       bool     // a step could not be read, so nobody knows who is alive
	held       []string // whose CPU is limited
	noDatabase bool
	stop       time.Duration // how long an instance may take to end
}

func newFleet(instances int) *fleet {
	f := &fleet{lost: instances == 0}
	f.launch(instances)
	return f
}

func (f *fleet) launch(n int) {
	for range n {
		f.last++
		f.live = append(f.live, fmt.Sprintf("web-%d", f.last))
	}
}

// move does one step, or says why it is impossible.
func (f *fleet) move(s Step) error {
	if f.lost {
		return nil
	}
	switch s.Kind {
	case Launch:
		if len(f.live)+s.Count > MaxInstances {
			return fmt.Errorf("%v: %d instances would be alive, want at most %d", s, len(f.live)+s.Count, MaxInstances)
		}
		f.launch(s.Count)
	case Scale:
		if s.Count == len(f.live) {
			return fmt.Errorf("%v: that many are alive at that point, so nothing would happen (have %s)", s, f.have())
		}
		f.launch(s.Count - len(f.live))
		f.live = f.live[:s.Count]
	case Replace:
		return f.replace(s)
	case Limit:
		return f.limit(s)
	case BeginFault:
		return f.begin(s)
	case Heal:
		return f.heal(s)
	default:
		at := slices.Index(f.live, s.Instance)
		if at < 0 {
			return fmt.Errorf("%v: no such instance at that point (have %s)", s, f.have())
		}
		f.live = slices.Delete(f.live, at, at+1)
	}
	return nil
}

// replace launches before it terminates, so one more is alive meanwhile.
func (f *fleet) replace(s Step) error {
	old := 1
	if s.Instance == ReplaceAll {
		old = len(f.live)
	} else if !slices.Contains(f.live, s.Instance) {
		return fmt.Errorf("%v: no such instance at that point (have %s)", s, f.have())
	}
	if old == 0 {
		return fmt.Errorf("%v: no instance is alive at that point", s)
	}
	if len(f.live)+1 > MaxInstances {
		return fmt.Errorf("%v: %d instances would be alive meanwhile, want at most %d", s, len(f.live)+1, MaxInstances)
	}
	f.launch(old)
	if s.Instance == ReplaceAll {
		f.live = slices.Delete(f.live, 0, old)
		return nil
	}
	at := slices.Index(f.live, s.Instance)
	f.live = slices.Delete(f.live, at, at+1)
	return nil
}

func (f *fleet) have() string {
	if len(f.live) == 0 {
		return "none"
	}
	return list(f.live)
}
