package script

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Step is one thing done to the stack.
type Step struct {
	Move
	Role   string        // whose instances it is done to; "": those of the first role, or none
	Within time.Duration // how long each move may take; one after the other, replace and scale make several
	Pos    Pos
}

// String gives the step as the file has it, like "launch 1, role: api".
func (s Step) String() string {
	if s.Role == "" || RoleOf(s.Target()) == s.Role {
		return s.Move.String()
	}
	return s.Move.String() + ", role: " + s.Role
}

// Move is what a step does: a value of one of the types that [StepKinds] names.
type Move interface {
	// Kind is the step's key in the file, like "kill".
	Kind() string
	// String gives the step as the file has it, like "kill web-2".
	String() string
	// Target is the instance that the file names, [ReplaceAll] and the words that stand for one included; "" for none.
	Target() string
	// play does the move in the mind of the reader, or says why it is impossible at that point.
	play(f *fleet) error
}

// stepKind is how one kind of step is read, and what it takes to do it.
type stepKind struct {
	name string
	read func(what value, m mapping) Move // what is the value of the step's own key, m the whole step
	// takes are its keys beside its own and `within`; misfit is what is said of them at another kind of step.
	takes  []string
	misfit string
	stops  bool // it asks instances to end, and waits for as long as they may take
	opens  bool // its value has keys of its own
	needs  []Need
}

// stepOf is the kind of step that a reader of one type of move makes.
func stepOf[M Move](read func(what value, m mapping) M, more stepKind) stepKind {
	var zero M
	more.name, more.read = zero.Kind(), func(what value, m mapping) Move { return read(what, m) }
	return more
}

// stepKinds are the kinds of steps, in the order in which errors list them.
var stepKinds = []stepKind{
	stepOf(readKill, stepKind{takes: []string{"role", "for"}}),
	stepOf(readTerminate, stepKind{takes: []string{"role", "drain", "for"}, stops: true}),
	stepOf(readInterrupt, stepKind{takes: []string{"role", "drain", "notice"}, misfit: "%s has no notice: it belongs to interrupt", stops: true, needs: []Need{Metadata}}),
	stepOf(readLaunch, stepKind{takes: []string{"role"}}),
	stepOf(readReplace, stepKind{takes: []string{"role"}, stops: true}),
	stepOf(readDeploy, stepKind{takes: []string{"role", "canary"}, misfit: "%s has no canary: it belongs to deploy", stops: true, opens: true}),
	stepOf(readRollback, stepKind{takes: []string{"role"}, stops: true}),
	stepOf(readScale, stepKind{takes: []string{"role"}, stops: true}),
	stepOf(readLimit, stepKind{takes: []string{"cpus"}, misfit: "%s has no cpus: they belong to limit", needs: []Need{CPULimits}}),
	stepOf(readStepDown, stepKind{}),
	stepOf(readBeginFault, stepKind{takes: append([]string{"role"}, faultKeys()...)}),
	stepOf(readHeal, stepKind{}),
}

// StepKinds names all kinds of steps.
func StepKinds() []string {
	var names []string
	for _, k := range stepKinds {
		names = append(names, k.name)
	}
	return names
}

// stepKeys are all keys that a step may have, in the order in which errors list them.
func stepKeys() []string {
	keys := append(StepKinds(), "cpus", "within", "drain")
	for _, k := range stepKinds {
		for _, key := range k.takes {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// steps reads `do`: a list of steps or a single one.
func (v value) steps(w *world) []Step {
	items := []value{v}
	if _, one := v.node.(*ast.MappingNode); !one {
		items = v.list("a list of steps, like [{kill: web-2}]", "do")
	}
	var steps []Step
	for _, item := range items {
		item.name = "do"
		if step, ok := item.step(w); ok {
			steps = append(steps, step)
		} else {
			w.lost = true
		}
	}
	return steps
}

func (v value) step(w *world) (Step, bool) {
	before := len(v.r.errs)
	m, ok := v.mapping(stepKeys()...)
	if !ok || len(v.r.errs) > before {
		return Step{}, false
	}
	kind, what, ok := v.kindOfStep(m)
	if !ok {
		return Step{}, false
	}
	f, said := w.said(m)
	v.r.versions = &f.read
	move := kind.read(what, m)
	f = w.meant(f, said, move, m)
	step := Step{Move: move, Role: f.role, Within: m.duration("within", shortest, kind.within(f.stop)+noticeOf(move)+AwayOf(move)), Pos: v.at}
	step.outlasts(m)
	m.refuse(kind)
	if len(v.r.errs) > before {
		return Step{}, false
	}
	if !w.lost {
		if err := f.playing(step.Move); err != nil && !v.r.opts.Ran { // else what was there is known to the record, and not from the moves
			what.r.failf(what.at, "%v", err)
		}
	}
	return step, true
}

// kindOfStep finds the one key of a step that says what it does, and its value.
func (v value) kindOfStep(m mapping) (kind stepKind, what value, ok bool) {
	for _, k := range stepKinds {
		moved, there := m.get(k.name)
		switch {
		case there && ok:
			v.failf("%s and %s in one step: write two steps", kind.name, k.name)
			return stepKind{}, value{}, false
		case there:
			kind, what, ok = k, moved, true
		}
	}
	if !ok {
		v.failf("no step here: want one of %s", list(StepKinds()))
		m.duration("within", shortest, 0) // what is wrong with it is said at the same time
	}
	return kind, what, ok
}

// within is how long a move of this kind may take where the file does not say: one that asks an instance to end has to
// give it its time.
func (k stepKind) within(stop time.Duration) time.Duration {
	if k.stops {
		return defaultWithin + stop
	}
	return defaultWithin
}

// refuse complains about keys that say nothing about this kind of step.
func (m mapping) refuse(kind stepKind) {
	for i, k := range m.keys {
		key := plain(k.node)
		owner := slices.IndexFunc(stepKinds, func(k stepKind) bool { return slices.Contains(k.takes, key) })
		switch {
		case owner < 0 || slices.Contains(kind.takes, key):
		case stepKinds[owner].misfit != "":
			m.entries[i].failf(stepKinds[owner].misfit, kind.name)
		default:
			m.entries[i].failf("does not fit %s: remove it", kind.name)
		}
	}
}

// fleet plays the moves on a role's instances through: who would be alive at that point, if every step did what it is
// meant to do.
type fleet struct {
	*world
	role      string   // "": the first
	withUsers bool     // users' requests come to its instances
	live      []string // in the order of their numbers
	last      int      // the highest number ever given
	versions  Versions
	read      Versions      // those that were read; versions are those that were played
	unsure    bool          // somebody was ended, and the names in live may be those of others
	scaled    bool          // an autoscaler launches others, whose names are not in live
	held      []string      // whose CPU is limited
	mixed     bool          // a canary runs beside another version
	stop      time.Duration // how long an instance may take to end
}

// playing plays a move, unless it is impossible there.
func (f *fleet) playing(m Move) error {
	x := f.stack.External
	if x != nil {
		if err := x.cannot(m); err != nil {
			return err
		}
	}
	before, alive := f.last, len(f.live)
	if err := m.play(f); err != nil || x == nil {
		return err
	}
	return x.able(m, before, f.last, len(f.live) < alive+f.last-before)
}

// launch starts instances of the version that is launched at that point.
func (f *fleet) launch(n int) { f.launchOf(f.versions.Current(), n) }

func (f *fleet) launchOf(version string, n int) {
	for range n {
		f.last++
		name := f.stack.InstanceName(cmp.Or(f.role, FirstRole), f.last)
		f.live = append(f.live, name)
		f.versions.Of[name] = version
	}
}

// end takes an instance away that a move ends; the move is named in the error.
func (f *fleet) end(instance string, m Move) error {
	if StandsIn(instance) {
		return f.endOne(instance, m)
	}
	at, err := f.find(instance, m)
	if err == nil {
		f.live = slices.Delete(f.live, at, at+1)
	}
	return err
}

// absent is the error of a move whose instance cannot be alive at that point.
func (f *fleet) absent(m Move) error {
	return fmt.Errorf("%v: no such instance at that point (have %s)", m, f.have())
}

// have names who is alive, of all roles.
func (w *world) have() string {
	var live []string
	for _, f := range w.fleets {
		live = append(live, f.live...)
	}
	if len(live) == 0 {
		return "none"
	}
	return list(live)
}
