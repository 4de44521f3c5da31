package docs

import (
	"regexp"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	d, ok := Find("lost-on-exit")
	if !ok || d.Group != "Too few are counted" {
		t.Fatalf("Find(lost-on-exit) = %+v, %v", d, ok)
	}
	for _, want := range []string{
		"before a SIGTERM", "Repair: flush on exit (below)", "datadog-go#138 (https://github.com/DataDog/datadog-go/issues/138)",
		"\n\nFlush on exit\n", "dogstatsd-ruby | statsd.close",
	} {
		if !strings.Contains(d.Text, want) {
			t.Errorf("the diagnosis lacks %q:\n%s", want, d.Text)
		}
	}
	for _, want := range []string{"*Repair*: ", "[datadog-go#138](https://github.com/DataDog/datadog-go/issues/138)", "\n\n#### Flush on exit\n\n"} {
		if !strings.Contains(d.Markdown, want) || strings.Contains(d.Markdown, "](#") {
			t.Errorf("the diagnosis' source lacks %q, or has a link into this page:\n%s", want, d.Markdown)
		}
	}
	if strings.Contains(d.Text, "client-buffer-larger") {
		t.Errorf("the diagnosis goes on into the next:\n%s", d.Text)
	}
	if d, ok := Find("lost-on-entry"); ok {
		t.Errorf("Find(lost-on-entry) = %+v, want nothing", d)
	}
}

// TestDiagnosesAreWhole: each has a group and a text without markup, and what
// it calls below is there.
func TestDiagnosesAreWhole(t *testing.T) {
	all := Diagnoses()
	if len(all) < 40 {
		t.Fatalf("only %d diagnoses", len(all))
	}
	links := regexp.MustCompile(`\]\(|\(#`)
	for _, d := range all {
		switch {
		case d.Group == "" || len(d.Text) < 20:
			t.Errorf("%s: no group or no text: %+v", d.Cause, d)
		case links.MatchString(d.Text):
			t.Errorf("%s: a link is left:\n%s", d.Cause, d.Text)
		case strings.Contains(d.Text, "(below)") && !strings.Contains(d.Text, "\n\n"):
			t.Errorf("%s: nothing is below:\n%s", d.Cause, d.Text)
		}
	}
}
