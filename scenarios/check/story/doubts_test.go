package story

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

func TestDoubtsAreTold(t *testing.T) {
	damaged, interrupted := lived(3), lived(3, record.Event{At: 5 * second, Kind: record.Interrupted})
	damaged.Damage = []string{"users.csv: line 3"}
	cut := lived(3)
	cut.Events = cut.Events[:len(cut.Events)-1]
	late := record.Event{At: 3 * second, Kind: record.Trouble, About: "load", Count: 17}
	doubt := func(check, summary string) verdict.Finding { return verdict.Finding{Check: check, Summary: summary} }
	users := verdict.Finding{Check: honesty.CheckHarness, Layer: "users", From: 3, To: 3, Summary: "the load generator missed its schedule at 3.0 s (17 requests late)"}
	for name, c := range map[string]struct {
		h               record.History
		findings        []verdict.Finding
		title, sentence string
		explained       string
	}{
		"damage": {damaged, []verdict.Finding{doubt("record", "the record is damaged: users.csv: line 3"), lost("burst", "web-1", 3, 1, 2)}, "This run proves nothing: its record is damaged",
			"This run proves nothing, because the record is damaged: users.csv: line 3. Judge the record as the run wrote it, or run again.", "[0] < [1]"},
		"interrupted": {interrupted, []verdict.Finding{doubt("record", "the run was interrupted at 5.0 s: it proves nothing"), doubt("gauge", "gauge is not judged"), doubt("audit", "audit is not judged")}, "This run proves nothing: it was interrupted",
			"This run proves nothing, because the run was interrupted at 5.0 s. Let the run come to its end.", "[0] < [1 2]"},
		"cut short": {cut, []verdict.Finding{doubt("record", "no instance is named by 1 acknowledged request"), doubt("record", "the journal has no end")}, "This run proves nothing: it was cut short",
			"This run proves nothing, because the journal has no end. Let the run come to its end.", "[1 0] < []"},
		"the load": {lived(3, late), []verdict.Finding{users}, "This run proves nothing: the load missed its schedule",
			"This run proves nothing, because the load generator missed its schedule at 3.0 s (17 requests late). Give the machine more room, or lower load.rate (150/s).", "[0] < []"},
		"a lost worker": {lived(3, record.Event{At: 3 * second, Kind: record.WorkerEnd, Worker: 2}), []verdict.Finding{{Check: honesty.CheckHarness, Layer: "users", From: 3, To: 3, Summary: "worker 2 was lost at 3.0 s"}, doubt("conservation", "conservation is not judged")},
			"This run proves nothing: a worker of the load was lost", "This run proves nothing, because worker 2 was lost at 3.0 s. Look why it ended (the finding has its last words), and run again.", "[0] < [1]"},
		"clocks apart": {lived(3), []verdict.Finding{{Check: honesty.CheckTime, Layer: "users", Summary: "times in the users' ledger may be wrong by 150ms"}},
			"This run proves nothing: the clocks of the load's workers could not be compared well enough",
			"This run proves nothing, because times in the users' ledger may be wrong by 150ms. Give the machines of the workers, and the network between them and the run, more room.", "[0] < []"},
		"one check": {lived(3), []verdict.Finding{doubt("shutdown", "shutdown: no instance was ended, so nothing was looked at")}, "This run proves nothing about shutdown: no instance ended that had something to lose",
			"This run proves nothing about shutdown, because no instance was ended, so nothing was looked at. Let a step end an instance under load (terminate, replace, kill), or leave the check out.", "[0] < []"},
		"two checks": {lived(3), []verdict.Finding{{Check: "conservation", Layer: "lb", Summary: "the record has none"}, doubt("correlation", "correlation of users and db: too few intervals, 5, and it takes 8")},
			"This run proves nothing about the load balancer and correlation: users and load balancer could not be compared",
			"This run proves nothing about the load balancer and correlation, because the record has none. Run again, and have the load balancer's statistics polled all the while. Also: curves could not be compared.", "[0] < []; [1] < []"},
		"an idle waiver": {lived(3), []verdict.Finding{doubt("waive", "x.yaml:3:1: nothing of gauge failed, so the waiver (y) covers nothing")}, "This run proves nothing about waive: a waiver covers nothing",
			"This run proves nothing about waive, because x.yaml:3:1: nothing of gauge failed, so the waiver (y) covers nothing. Remove the waiver, before it hides something else.", "[0] < []"},
		"someone died": {lived(3), []verdict.Finding{{Check: "harness", Instance: "web-2", From: 5, To: 5, Summary: "web-2 died at 5.0 s and nobody had asked for it (SIGSEGV)"}}, "This run proves nothing: web-2 died, and nobody had asked for it",
			"This run proves nothing, because web-2 died at 5.0 s and nobody had asked for it (SIGSEGV). Look into logs/web-2.log, mend it, and run again.", "[0] < []"},
		"no checks": {lived(3), nil, "This run proves nothing: its scenario has no checks", "This run proves nothing, because its scenario has no checks. Name under checks what it is to prove.", ""},
	} {
		v := of(verdict.Inconclusive, c.findings...)
		Tell(v, c.h, conserved)
		var got []string
		for _, e := range v.Explanations {
			got = append(got, fmt.Sprintf("%v < %v", e.Findings, e.Consequences))
		}
		if diff := cmp.Diff([]string{c.title, c.sentence, c.explained}, []string{v.Title, v.Sentence, strings.Join(got, "; ")}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A doubt that is caused by what failed at the same instance joins it; another one is told
// beside the failure.
func TestDoubtsBesideAFailure(t *testing.T) {
	v := of(verdict.Fail, lost("no-metric", "web-2", 30, 1, 11),
		verdict.Finding{Check: "gauge", Cause: "no-metric", Instance: "web-2", Summary: "it never sent the gauge"},
		verdict.Finding{Check: "gauge", Cause: "no-metric", Instance: "web-3", Summary: "it never sent the gauge"})
	Tell(v, lived(3), conserved)
	if len(v.Explanations) != 2 || !slices.Equal(v.Explanations[0].Consequences, []int{1}) || !slices.Equal(v.Explanations[1].Findings, []int{2}) || !strings.HasSuffix(v.Sentence, " Also: web-3 never sends the metric.") {
		t.Errorf("%+v: %s", v.Explanations, v.Sentence)
	}
}
