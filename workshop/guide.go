package workshop

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed compose.md
var onContainers string

// Instances is how many web instances the talk begins with.
const Instances = 3

// Guide writes the talk for those who read it: docs/WORKSHOP.md. What is done is a command
// of `throughline ctl`, what is seen a query. Behind it is the same on containers.
func (t Talk) Guide() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Made of workshop/talk.md and workshop/compose.md: go test ./workshop -run TestGuide -update -->\n# %s\n\n%s\n\n", t.Title, t.Intro)
	b.WriteString("```sh\nthroughline workshop                # with a page that leads through it; needs HAProxy and nothing else\n" +
		"throughline workshop --unattended   # plays it all by itself, and says what was seen\n```\n\n" +
		"By hand it goes like this. `throughline up` prints the address of the collector; with it, ask what the page asks:\n\n" +
		fmt.Sprintf("```sh\nthroughline up --web %d --members %d --cloud --cloudwatch 5s --beacons    # in a shell of its own\n", Instances, Members) +
		"METRICS=http://127.0.0.1:9102       # as it was printed\n" +
		"q() { curl -s \"$METRICS/api/v1/query\" --data-urlencode \"query=$1\"; echo; }\n```\n")
	f := newFleet(Instances)
	for i, slide := range t.Slides {
		fmt.Fprintf(&b, "\n## %d. %s\n", i+1, slide.Title)
		for _, step := range slide.Steps {
			step.guide(&b, f)
		}
		if slide.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", slide.Text)
		}
	}
	b.WriteString("\n")
	for _, d := range t.Defects {
		fmt.Fprintf(&b, "- `throughline selftest %s`\n", d)
	}
	return b.String() + "\n" + onContainers
}

// guide writes one step, for the instances that serve by then.
func (s Step) guide(b *strings.Builder, f *fleet) {
	fmt.Fprintf(b, "\n%s\n\n```sh\n", s.Text)
	// A test sees to it that somebody serves.
	terms := f.moves(s.Do, func(words string) { fmt.Fprintf(b, "throughline ctl %s\n", words) })
	for _, figure := range s.Show {
		fmt.Fprintf(b, "q '%s'   # %s\n", terms.in(figure.Expr), figure.Name)
	}
	fmt.Fprintf(b, "```\n\n*%s* Seen is what gives anything", s.See)
	if s.Within != usual {
		fmt.Fprintf(b, " within %v", s.Within)
	}
	b.WriteString(":\n\n```promql\n")
	for _, expr := range s.Seen {
		fmt.Fprintf(b, "%s\n", terms.in(expr))
	}
	b.WriteString("```\n")
}
