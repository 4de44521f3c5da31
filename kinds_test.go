package throughline_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/cmd/throughline/platforms"
	"throughline/scenarios"
	"throughline/scenarios/check"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/gallery"
	"throughline/scenarios/record"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// A new step, fault, check or platform has to be told to several packages, because the
// laws in imports_test.go keep them apart. This says which of them, or which page, was
// forgotten; docs/EXTENDING.md is the way through them.

// demand is what each kind of a sort must have, somewhere.
type demand struct {
	sort string // of kinds: "fault"
	what string // is missing, and where it belongs
	have []string
}

// kinds are those that there are, by their sort: the language's, and the platforms.
func kinds() map[string][]string {
	return map[string][]string{
		"step": script.StepKinds(), "fault": script.FaultNames(), "check": script.CheckKinds(), "platform": platforms.Names(),
	}
}

// exceptions are kinds that no stage of the gallery uses, each with the reason. A
// scenario of the library must use them instead.
var exceptions = map[string]string{
	"step limit":        "it takes root and a cgroup controller; the library's two-views-of-cpu has it",
	"check correlation": "it takes 11 s of load, and a stage lasts 9 s",
}

const inGallery = "use in an entry or a healthy run of the gallery (scenarios/gallery)"

func demands(t *testing.T) []demand {
	t.Helper()
	page := read(t, "docs/SCENARIOS.md")
	used := map[string][]string{}
	for _, s := range galleryOf(t) {
		uses(s, used)
	}
	return []demand{
		{"step", "doer (doers in scenarios/run)", run.Steps()},
		{"step", "proof of effect (proofs in scenarios/check/honesty)", honesty.Steps()},
		{"step", "row in the table of steps in docs/SCENARIOS.md", found(table(page, "step"), "(?m)^\\| `([a-z_-]+): ")},
		{"step", inGallery, used["step"]},
		{"fault", "doer (makers in scenarios/run)", run.Faults()},
		{"fault", "proof of effect (faultProofs in scenarios/check/honesty)", honesty.Faults()},
		{"fault", "row in the table of faults in docs/SCENARIOS.md", found(table(page, "fault"), "(?m)^\\| `([a-z-]+)` \\|")},
		{"fault", inGallery, used["fault"]},
		{"check", "judge (ruleMakers in scenarios/check)", check.Kinds()},
		{"check", "section in docs/SCENARIOS.md that begins with an example", shown(page)},
		{"check", inGallery, used["check"]},
		{"platform", "test against the contract (platformtest.Run in compose/NAME)", contracted(t)},
		{"platform", "line in the tree of docs/ARCHITECTURE.md", found(read(t, "docs/ARCHITECTURE.md"), `(?m)^  ([a-z]+)/ +platform: `)},
	}
}

// missing tells what is demanded of kinds and not there, and what is there of kinds that
// nobody reads. An exception that is none any more is told too.
func missing(kinds map[string][]string, all []demand, excepted map[string]string) []string {
	var out []string
	for _, d := range all {
		for _, kind := range kinds[d.sort] {
			_, spared := excepted[d.sort+" "+kind]
			spared = spared && d.what == inGallery
			switch has := slices.Contains(d.have, kind); {
			case !has && !spared:
				out = append(out, fmt.Sprintf("the %s %s has no %s", d.sort, kind, d.what))
			case has && spared:
				out = append(out, fmt.Sprintf("the %s %s has a %s: take it off the exceptions", d.sort, kind, d.what))
			}
		}
		for _, kind := range d.have {
			if !slices.Contains(kinds[d.sort], kind) {
				out = append(out, fmt.Sprintf("nobody reads the %s %s, which has a %s", d.sort, kind, d.what))
			}
		}
	}
	return out
}

// TestEveryKindIsWhole: whoever adds a kind is told what was forgotten.
func TestEveryKindIsWhole(t *testing.T) {
	for _, complaint := range missing(kinds(), demands(t), exceptions) {
		t.Error(complaint)
	}
	library := map[string][]string{}
	for _, s := range libraryOf(t) {
		uses(s, library)
	}
	for what, why := range exceptions {
		sort, kind, _ := strings.Cut(what, " ")
		if !slices.Contains(library[sort], kind) {
			t.Errorf("no scenario of the library uses the %s, which the gallery is spared (%s)", what, why)
		}
	}
}

// TestEveryDemandBites: each kind that loses what is demanded of it is named, alone.
func TestEveryDemandBites(t *testing.T) {
	kinds, all := kinds(), demands(t)
	if len(missing(kinds, all, exceptions)) > 0 {
		t.Fatal("something is missing: see TestEveryKindIsWhole")
	}
	for i, d := range all {
		if len(d.have) == 0 {
			t.Errorf("no %s was found to have a %s", d.sort, d.what)
		}
		for _, kind := range d.have {
			without := slices.Clone(all)
			without[i].have = slices.DeleteFunc(slices.Clone(d.have), func(k string) bool { return k == kind })
			want := []string{fmt.Sprintf("the %s %s has no %s", d.sort, kind, d.what)}
			if got := missing(kinds, without, exceptions); !slices.Equal(got, want) {
				t.Errorf("without it, the test says %q, want %q", got, want)
			}
		}
		more := slices.Clone(all)
		more[i].have = append(slices.Clone(d.have), "forgotten")
		want := []string{fmt.Sprintf("nobody reads the %s forgotten, which has a %s", d.sort, d.what)}
		if got := missing(kinds, more, exceptions); !slices.Equal(got, want) {
			t.Errorf("with one too many, the test says %q, want %q", got, want)
		}
	}
	for what := range exceptions {
		fewer := maps.Clone(exceptions)
		delete(fewer, what)
		if got := missing(kinds, all, fewer); len(got) != 1 || !strings.HasPrefix(got[0], "the "+what+" has no ") {
			t.Errorf("without its exception, %s: %q", what, got)
		}
	}
	more := maps.Clone(exceptions)
	more["step kill"] = ""
	if got := missing(kinds, all, more); len(got) != 1 || !strings.HasSuffix(got[0], ": take it off the exceptions") {
		t.Errorf("with an exception too many: %q", got)
	}
}

// TestNoProofIsEmpty: a journal in which a step begins and ends, and nothing happens,
// proves no step and no fault.
func TestNoProofIsEmpty(t *testing.T) {
	tried := map[string][]string{}
	for _, s := range append(galleryOf(t), libraryOf(t)...) {
		uses(s, tried)
		for _, phase := range s.Phases {
			for _, step := range phase.Do {
				one := s
				one.Phases = []script.Phase{{Name: "one", Do: []script.Step{step}}}
				for _, f := range honesty.Efficacy(evidence.New(uneventful(step), one)) {
					if f.Outcome != verdict.Inconclusive {
						t.Errorf("%s: %s is taken for proved: %s", s.File, step, f.Summary)
					}
				}
			}
		}
	}
	for sort, all := range map[string][]string{"step": script.StepKinds(), "fault": script.FaultNames()} {
		for _, kind := range all {
			if !slices.Contains(tried[sort], kind) {
				t.Errorf("the %s %s was not tried", sort, kind)
			}
		}
	}
}

// uneventful is a record of three instances of the step's role in which it begins and ends,
// and nothing else.
func uneventful(step script.Step) record.History {
	var h record.History
	role := cmp.Or(step.Role, script.FirstRole)
	for n := range 3 {
		for _, kind := range []record.Kind{record.Birth, record.Ready, record.Serving} {
			h.Events = append(h.Events, record.Event{At: time.Second, Kind: kind, Instance: script.InstanceName(role, n+1), Role: record.Role(role)})
		}
	}
	for i, kind := range []record.Kind{record.StepBegin, record.StepEnd} {
		h.Events = append(h.Events, record.Event{At: time.Duration(2+i) * time.Second, Kind: kind, Phase: "one", Step: step.String()})
	}
	return h
}

// galleryOf are the scenarios of all entries and healthy runs, libraryOf those that are
// built in.
func galleryOf(t *testing.T) (all []script.Scenario) {
	t.Helper()
	for _, e := range gallery.Entries() {
		all = append(all, parse(t, e.Name, e.Stage.Scenario("x")))
	}
	for _, c := range gallery.Controls() {
		all = append(all, parse(t, c.Name, c.Stage.Scenario("x")))
	}
	return all
}

func libraryOf(t *testing.T) (all []script.Scenario) {
	t.Helper()
	for _, name := range scenarios.Names() {
		source, err := scenarios.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, name, string(source)))
	}
	return all
}

func parse(t *testing.T, name, source string) script.Scenario {
	t.Helper()
	s, err := script.Parse(name, []byte(source), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// uses notes the steps, faults and checks of a scenario, each once.
func uses(s script.Scenario, used map[string][]string) {
	note := func(sort, kind string) {
		if !slices.Contains(used[sort], kind) {
			used[sort] = append(used[sort], kind)
		}
	}
	for _, phase := range s.Phases {
		for _, step := range phase.Do {
			note("step", step.Kind())
			if begin, ok := step.Move.(script.BeginFault); ok {
				note("fault", begin.Fault.Name())
			}
		}
	}
	for _, c := range s.Checks {
		note("check", c.Kind())
	}
}

// TestExtendingNamesWhatIsThere: files and identifiers that the page sends people to are
// there. What has NAME in it is still to be made.
func TestExtendingNamesWhatIsThere(t *testing.T) {
	var source strings.Builder
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") {
			source.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`\w+`).FindAllString(source.String(), -1) {
		words[word] = true
	}
	path, identifier := regexp.MustCompile(`^\w+(/[\w.*]+)+$`), regexp.MustCompile(`^[\w.]*[A-Z]\w+$`)
	paths, identifiers := 0, 0
	for _, named := range found(read(t, "docs/EXTENDING.md"), "`([^`\n]+)`") {
		switch {
		case strings.Contains(named, "NAME"), strings.ToUpper(named) == named:
		case path.MatchString(named):
			paths++
			if there, err := filepath.Glob(named); err != nil || len(there) == 0 {
				t.Errorf("docs/EXTENDING.md sends people to %s, which is not there", named)
			}
		case identifier.MatchString(named) && !strings.HasSuffix(named, ".md"):
			identifiers++
			if !words[named[strings.LastIndex(named, ".")+1:]] {
				t.Errorf("docs/EXTENDING.md names %s, which nothing is called", named)
			}
		}
	}
	if paths < 20 || identifiers < 30 {
		t.Errorf("only %d paths and %d identifiers were found on docs/EXTENDING.md", paths, identifiers)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// table is the table whose first column has that title.
func table(page, title string) string {
	_, text, _ := strings.Cut(page, "\n| "+title+" |")
	text, _, _ = strings.Cut(text, "\n\n")
	return text
}

// found gives what the first group of a pattern matches, each once.
func found(text, pattern string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
	}
	return all
}

// shown are the checks of which the page has a section with an example of it at its head.
func shown(page string) []string {
	var all []string
	for _, name := range found(page, "(?m)^### ([a-z-]+)\n\n```yaml fragment\n") {
		_, example, _ := strings.Cut(page, "\n### "+name+"\n")
		if example, _, _ = strings.Cut(example, "\n```\n"); strings.Contains(example, "- "+name+":") {
			all = append(all, name)
		}
	}
	return all
}

// contracted are the packages of compose that try their platform against the contract.
func contracted(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("compose/*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		if name != "platformtest" && strings.Contains(read(t, file), "platformtest.Run(") && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
