package story

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/INCONCLUSIVE.md has each reason by which a run proves nothing, under the check or the cause by which it is found, in the words of
// the verdict.
func TestEveryDoubtIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../../docs/INCONCLUSIVE.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (\\*[^|]*) \\| `([a-z-]+)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(string(page), -1) {
		said[row[2]] = append(said[row[2]], row[1])
	}
	if lines := strings.Count(string(page), "\n| *"); lines < 30 {
		t.Fatalf("only %d rows were found", lines)
	}
	for key, r := range ofCauses {
		if !strings.Contains(strings.Join(said[key], "\n"), "*"+r.why+"*") {
			t.Errorf("the cause %s: no row *%s* in %q", key, r.why, said[key])
		}
		delete(said, key)
	}
	for key, r := range ofChecks {
		if !strings.Contains(strings.Join(said[key], "\n"), "*"+r.why+"*") {
			t.Errorf("the check %s: no row *%s* in %q", key, r.why, said[key])
		}
		delete(said, key)
	}
	for _, check := range ofTheRun {
		if said[check] == nil && ofChecks[check].why == "" {
			t.Errorf("no row for the check %s", check)
		}
		delete(said, check)
	}
	delete(said, conservation) // which is said in words of its own where users and load balancer differ
	for key := range said {
		t.Errorf("the page has a row for %s, which nothing says", key)
	}
	// Those that have no table: the reasons of ofRecord and ofHarness.
	for _, why := range []string{"its record is damaged", "it was interrupted", "it was cut short", "no request was sent", "the record is not whole", "the load missed its schedule",
		"died, and nobody had asked for it", "a poll failed", lostWorker.why, farApart.why, "the harness had trouble", "users and load balancer could not be compared"} {
		if !strings.Contains(string(page), why) {
			t.Errorf("no row for %q", why)
		}
	}
}
