package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// withAlerts is a verdict on the run in which web-2 is killed, with two alerts, of which one fired.
func withAlerts(h record.History) verdict.Verdict {
	v := judged(h, verdict.Pass)
	v.Alerts = []verdict.Alert{
		{Name: "WebInstanceGone", File: "alerts.yml", Labels: map[string]string{"instance": "web-2", "severity": "info"},
			Annotations: map[string]string{"summary": "web-2 <counts> no more"}, Pending: 10.37, Firing: 10.37, Ended: 15.37},
		{Name: "InsertsSlow", File: "alerts.yml", Labels: map[string]string{}, Pending: 11.37, Ended: 12.37},
	}
	return v
}

// TestAlertsBesideWhatWasDone: text and page tell which rule fired when, after which move; without alerts nothing is said.
func TestAlertsBesideWhatWasDone(t *testing.T) {
	h := killed()
	v := withAlerts(h)
	var text, page bytes.Buffer
	if err := WriteText(&text, h, v, TextOptions{Width: 200}); err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(text.String(), "\nAlerts\n")
	for _, want := range []string{`WebInstanceGone {instance="web-2", severity="info"} fired 10.4 s to 15.4 s; pending 2.`, " s after kill web-2", "summary: web-2 <counts> no more", "and 1 alert pending, and never fired"} {
		if !strings.Contains(section, want) {
			t.Errorf("the text has no %q:\n%s", want, section)
		}
	}
	if err := WriteHTML(&page, h, v); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h2>Alerts</h2>", "<td>WebInstanceGone</td>", "web-2 &lt;counts&gt; no more", "alert fires", "alert over", ">never<"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	plain := judged(h, verdict.Pass)
	text.Reset()
	page.Reset()
	if err := WriteText(&text, h, plain, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := WriteHTML(&page, h, plain); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "\nAlerts\n") || strings.Contains(page.String(), "<h2>Alerts</h2>") {
		t.Error("of no alerts something is said")
	}
}

// TestAlertsStandInTheJournal at their times.
func TestAlertsStandInTheJournal(t *testing.T) {
	h := killed()
	moves := newJournal(h.Events, withAlerts(h).Alerts).Moves
	if len(moves) != len(h.Events)+2 {
		t.Errorf("%d events and 2 changes of alerts are %d moves", len(h.Events), len(moves))
	}
	fires := slices.IndexFunc(moves, func(m move) bool { return m.What == alertFires })
	over := slices.IndexFunc(moves, func(m move) bool { return m.What == "alert over" })
	if fires < 1 || over < fires {
		t.Fatalf("the alert fires at place %d and is over at %d", fires, over)
	}
	before, after := moves[fires-1], moves[fires+1]
	if !before.before("10.370 s") || after.before("10.370 s") || moves[fires].At != "10.370 s" || moves[fires].Instance != "web-2" {
		t.Errorf("it stands between %+v and %+v: %+v", before, after, moves[fires])
	}
}

func (m move) before(at string) bool {
	return len(m.At) < len(at) || len(m.At) == len(at) && m.At < at
}
