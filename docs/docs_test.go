package docs

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	d, ok := Find("lost-on-exit")
	if !ok || d.Group != "Too few are counted" {
		t.Fatalf("Find(lost-on-exit) = %+v, %v", d, ok)
	}
	for _, want := range []string{
		"An instance loses its last counts at a graceful exit. ", "before a SIGTERM", "Repair: flush the StatsD client on\nSIGTERM (below)", "datadog-go#138 (https://github.com/DataDog/datadog-go/issues/138)",
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
	markup := regexp.MustCompile("[`*{}|]|\\]\\(")
	for _, d := range all {
		one, several := d.Titled("web-2", false), d.Titled("web-1 and web-2", true)
		switch {
		case d.Title == "" || strings.HasSuffix(d.Title, ".") || len(one) > 90:
			t.Errorf("%s: no title, or one that is too long or a whole sentence: %q", d.Cause, d.Title)
		case markup.MatchString(one + several):
			t.Errorf("%s: markup is left in the title: %q, %q", d.Cause, one, several)
		case d.Repair == "" && d.Group != "Differences that are explained" && d.Cause != "metric-differs":
			t.Errorf("%s: its section does not say how to repair it", d.Cause)
		case d.Repair != "" && (!strings.HasSuffix(d.Repair, ".") || strings.ContainsAny(d.Repair, "`*") || strings.Contains(d.Repair, "](")):
			t.Errorf("%s: the repair is no plain sentence: %q", d.Cause, d.Repair)
		case slices.ContainsFunc(slices.Collect(maps.Values(d.repairs)), func(own string) bool {
			return !strings.HasSuffix(own, ".") || strings.ContainsAny(own, "`*") || strings.Contains(own, "](")
		}):
			t.Errorf("%s: the repair by a way is no plain sentence: %q", d.Cause, d.repairs)
		case d.Group == "" || len(d.Text) < 20:
			t.Errorf("%s: no group or no text: %+v", d.Cause, d)
		case links.MatchString(d.Text):
			t.Errorf("%s: a link is left:\n%s", d.Cause, d.Text)
		case strings.Contains(d.Text, "(below)") && !strings.Contains(d.Text, "\n\n"):
			t.Errorf("%s: nothing is below:\n%s", d.Cause, d.Text)
		}
	}
}

// A title is for one instance or several; a repair is one plain sentence without what it refers to.
func TestTitleAndRepair(t *testing.T) {
	for cause, want := range map[string][3]string{
		"lost-on-exit": {"web-2 loses its last counts at a graceful exit", "web-1 and web-3 lose their last counts at a graceful exit",
			"Flush the StatsD client on SIGTERM, once the last request has ended."},
		"silent-start": {"web-2 counts nothing in its first seconds", "web-1 and web-3 count nothing in their first seconds",
			"Make the client before the first request is served, and have it try again when nobody listens yet."},
		"lost-writes": {"The database lacks writes that were acknowledged", "The database lacks writes that were acknowledged",
			"Acknowledge after the write, with w: majority."},
		"sampling": {"The declared sample rate explains what web-2 counted", "The declared sample rate explains what web-1 and web-3 counted", ""},
	} {
		d, _ := Find(cause)
		if got := [3]string{d.Titled("web-2", false), d.Titled("web-1 and web-3", true), d.Repair}; got != want {
			t.Errorf("%s: %q, want %q", cause, got, want)
		}
	}
}

// What is to be done hangs on the way in, where the documentation says so.
func TestRepairByWay(t *testing.T) {
	for _, c := range []struct{ cause, way, want string }{
		{"lost-on-exit", "otlp", "Shut the SDK's meter provider down on SIGTERM, once the last request has ended."},
		{"lost-on-exit", "scrape", "Flush the StatsD client on SIGTERM, once the last request has ended."}, // of what is scraped it is never said
		{"lost-on-exit", "", "Flush the StatsD client on SIGTERM, once the last request has ended."},
		{"late", "scrape", "Scrape more often, and look for scrapes that fail."},
		{"counted-twice", "otlp", "Look for retries and fall-through paths that count again."},
	} {
		if d, _ := Find(c.cause); d.RepairBy(c.way) != c.want {
			t.Errorf("%s by %q: %q, want %q", c.cause, c.way, d.RepairBy(c.way), c.want)
		}
	}
}
