package script

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// DefaultVersion is the version of the stack's instances in a scenario that deploys another one, and does not say what
// `stack.web` is.
const DefaultVersion = "v1"

// noDefect is the `defect` of a version that has none, where that of the stack has one.
const noDefect = "none"

// versionName is what a version is called: it is a tag, and the value of a label.
var versionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const wantVersion = "a version of at most 64 letters, digits, '.', '_' and '-', like v2"

// Deploy rolls a version out: it launches an instance of it, waits until that serves, and terminates one of another
// version, one after the other, oldest first, until all are of it, or so many as the canary says.
type Deploy struct {
	Web    Web // what an instance of the version is: `stack.web` with what the step says otherwise
	Canary int // how many instances get it; 0: all, and those that are launched later
}

// Kind implements [Move].
func (Deploy) Kind() string { return "deploy" }

// String implements [Move].
func (m Deploy) String() string {
	if m.Canary > 0 {
		return fmt.Sprintf("%s %s, canary: %d", m.Kind(), m.Web.Version, m.Canary)
	}
	return m.Kind() + " " + m.Web.Version
}

// Target implements [Move].
func (Deploy) Target() string { return "" }

func (m Deploy) play(f *fleet) error {
	version := m.Web.Version
	switch {
	case version == f.versions.Current():
		return fmt.Errorf("%v: new instances are of %s anyway at that point: want another version, or rollback: %s to replace those that are not", m, version, version)
	case slices.Contains(f.versions.Past, version):
		return fmt.Errorf("%v: %s was there before: want rollback: %s to go back to it", m, version, version)
	}
	if err := f.someone(m); err != nil {
		return err
	}
	others := f.others(version)
	if m.Canary > 0 && m.Canary >= len(others) && f.sure() {
		return fmt.Errorf("%v: %d of another version are alive at that point, and a canary replaces fewer: want at most %d, or leave canary out", m, len(others), max(0, len(others)-1))
	}
	if m.Canary > 0 {
		others = others[:min(m.Canary, len(others))]
	}
	if err := f.roll(m, version, others); err != nil {
		return err
	}
	f.versions.Add(m.Web)
	if f.mixed = m.Canary > 0; !f.mixed {
		f.versions.Past = append(f.versions.Past, version)
	}
	return nil
}

// Rollback goes back to a version that was there before, over all instances that are of another one.
type Rollback struct{ Version string }

// Kind implements [Move].
func (Rollback) Kind() string { return "rollback" }

// String implements [Move].
func (m Rollback) String() string { return m.Kind() + " " + m.Version }

// Target implements [Move].
func (Rollback) Target() string { return "" }

func (m Rollback) play(f *fleet) error {
	others := f.others(m.Version)
	_, known := f.versions.Find(m.Version)
	switch {
	case known && !slices.Contains(f.versions.Past, m.Version):
		return fmt.Errorf("%v: %s was a canary only: want deploy: %s to roll it out", m, m.Version, m.Version)
	case !known:
		return fmt.Errorf("%v: no such version before that point (have %s)", m, list(f.versions.names()))
	case m.Version == f.versions.Current() && len(others) == 0 && (f.sure() || !f.mixed):
		return fmt.Errorf("%v: all are of %s at that point, so nothing would happen (before it there was %s)", m, m.Version, f.versions.before())
	}
	err := f.someone(m)
	if err == nil {
		err = f.roll(m, m.Version, others)
	}
	if err == nil {
		f.versions.Past, f.mixed = append(f.versions.Past, m.Version), false
	}
	return err
}

func readRollback(what value, _ mapping) Rollback { return Rollback{what.versionOf()} }

// sure tells whether it is known by name who is alive.
func (f *fleet) sure() bool { return !f.scaled && !f.unsure }

// others are the instances that are alive and of another version, oldest first.
func (f *fleet) others(version string) (names []string) {
	for _, name := range f.live {
		if f.versions.Of[name] != version {
			names = append(names, name)
		}
	}
	return names
}

// roll replaces instances by those of a version. One more is alive meanwhile.
func (f *fleet) roll(m Move, version string, old []string) error {
	if n := f.alive() + 1; len(old) > 0 && n > MaxInstances {
		return fmt.Errorf("%v: %d instances would be alive meanwhile, want at most %d", m, n, MaxInstances)
	}
	if !f.scaled { // else the autoscaler's launches have taken unknown numbers
		f.launchOf(version, len(old))
	}
	f.live = slices.DeleteFunc(f.live, func(name string) bool { return slices.Contains(old, name) })
	return nil
}

// Versions are the versions of the application that a fleet has had.
type Versions struct {
	Known []Web             // each that there has been, in the order in which they came
	Past  []string          // by which versions launches went, in their order; the last is the present one
	Of    map[string]string // of the instances, by name
}

// NewVersions are those of a fleet to which nothing was deployed yet; of a scenario without versions it is the one that
// has no name.
func NewVersions(web Web) Versions {
	return Versions{Known: []Web{web}, Past: []string{web.Version}, Of: map[string]string{}}
}

// Clone is a copy that changes by itself.
func (v Versions) Clone() Versions {
	of := map[string]string{}
	maps.Copy(of, v.Of)
	return Versions{slices.Clone(v.Known), slices.Clone(v.Past), of}
}

// Current is the version that is launched at present, unless a step says which.
func (v Versions) Current() string {
	if len(v.Past) == 0 {
		return ""
	}
	return v.Past[len(v.Past)-1]
}

// Find gives what an instance of a version is.
func (v Versions) Find(version string) (Web, bool) {
	at := slices.IndexFunc(v.Known, func(w Web) bool { return w.Version == version })
	if at < 0 {
		return Web{}, false
	}
	return v.Known[at], true
}

// Add puts in a version that is not known yet.
func (v *Versions) Add(web Web) {
	if _, known := v.Find(web.Version); !known {
		v.Known = append(v.Known, web)
	}
}

// names are those that launches went by, each once.
func (v Versions) names() (names []string) {
	for _, name := range v.Past {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// before is the version that was there before the present one; "none" if there was none.
func (v Versions) before() string {
	if len(v.Past) < 2 {
		return "none"
	}
	return v.Past[len(v.Past)-2]
}

// back is the version to which `rollback` without a version goes back: the present one while others run beside it, else the
// one before it; "" if there was none.
func (v Versions) back(live []string) string {
	if slices.ContainsFunc(live, func(name string) bool { return v.Of[name] != v.Current() }) {
		return v.Current()
	}
	if len(v.Past) < 2 {
		return ""
	}
	return v.before()
}

// versionOf reads the name of a version. A number is taken as it is written.
func (v value) versionOf() string {
	s := v.argument()
	if s != "" && !versionName.MatchString(s) {
		v.failf("%s is not %s", quote(s), wantVersion)
		return ""
	}
	if _, given := v.node.(*ast.StringNode); given && s == "" {
		v.failf("is empty: want %s", wantVersion)
	}
	return s
}

func readDeploy(what value, m mapping) Deploy {
	d := Deploy{Web: what.deployed()}
	if v, ok := m.get("canary"); ok {
		d.Canary = v.count(1, MaxInstances)
	}
	return d
}

// deployed reads a version and what it is: the name alone, or with what is other than in `stack.web`. One that was
// there before stays what it was.
func (v value) deployed() Web {
	if _, more := v.node.(*ast.MappingNode); !more {
		return v.r.asDeployed(v.versionOf())
	}
	m, ok := v.mapping("version", "command", "image", "env", "defect")
	if !ok {
		return Web{}
	}
	m.require("version")
	named, ok := m.get("version")
	if !ok {
		return Web{}
	}
	name := named.versionOf()
	if _, known := v.r.versions.Find(name); known && name != "" {
		for i, k := range m.keys {
			if key := plain(k.node); key != "version" {
				m.entries[i].failf("%s was there before and stays what it was: leave %s out, or choose another version", name, key)
			}
		}
		return v.r.asDeployed(name)
	}
	w := v.r.asDeployed(name)
	v.r.otherwise(m, &w)
	v.r.versions.Add(w)
	return w
}

// asDeployed is what a version is of which no more than the name is said.
func (r *reader) asDeployed(version string) Web {
	w, known := r.versions.Find(version)
	if !known && len(r.versions.Known) > 0 {
		w = r.versions.Known[0]
		w.Version = version
	}
	return w
}

// otherwise reads what a version has other than the stack.
func (r *reader) otherwise(m mapping, w *Web) {
	_, command := m.get("command")
	_, image := m.get("image")
	if command || image {
		w.Command, w.Image, w.Defect = nil, "", ""
	}
	env := w.Env
	if v, ok := m.get("defect"); ok && plain(v.node) == noDefect && w.reference() && !command && !image {
		w.Defect = ""
		m = m.without("defect")
	}
	r.program(m, w)
	if v, ok := m.get("env"); ok {
		if k, there := v.keyed(versionVariable); there {
			k.failf("%s is set for each instance by the stack: choose another name", versionVariable)
		}
		w.Env = maps.Clone(env)
		if given := v.env(); w.Env == nil {
			w.Env = given
		} else {
			maps.Copy(w.Env, given)
		}
	}
}

// versionVariable tells an instance its version, in a scenario that has versions.
const versionVariable = "VERSION"

// hasVersions settles, when all has been read, whether the scenario has versions: its stack says one, or a step deploys.
func (r *reader) hasVersions(s *Scenario) {
	r.versioned(s, &s.Stack.Web)
	for i := range s.Stack.Others {
		r.versioned(s, &s.Stack.Others[i])
	}
}

// versioned does so for one role.
func (r *reader) versioned(s *Scenario, web *Web) {
	deploys := slices.ContainsFunc(s.Phases, func(p Phase) bool {
		return slices.ContainsFunc(p.Do, func(step Step) bool {
			return step.Role == web.Role && (step.Kind() == Deploy{}.Kind() || step.Kind() == Rollback{}.Kind())
		})
	})
	if web.Version == "" && deploys {
		web.Version = DefaultVersion
	}
	if own, there := r.ownVersion[web.Key()]; web.Version != "" && there {
		own.failf("%s is set for each instance by the stack, in a scenario that has versions: choose another name", versionVariable)
	}
}

// Webs are the versions of the application that instances of the scenario may be of, role by role.
func (s Scenario) Webs() (all []Web) {
	for _, role := range s.Stack.Roles() {
		all = append(all, s.VersionsOf(role)...)
	}
	return all
}

// VersionsOf are those of a role's instances, that of the stack first.
func (s Scenario) VersionsOf(role Web) []Web {
	v := NewVersions(role)
	for _, p := range s.Phases {
		for _, step := range p.Do {
			if d, ok := step.Move.(Deploy); ok && step.Role == role.Role {
				v.Add(d.Web)
			}
		}
	}
	return v.Known
}
