// Package honesty has the rules that ask whether a run proves anything: whether its
// record is whole, the harness saw and did all it had to, the clocks agree, each step
// took effect, and every instance served.
//
// They run whatever the scenario asks for, judge the tool and not the application, and
// so end in doubt, never in failure. scenarios/check has them in its table.
package honesty

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// The names of the rules that always run.
const (
	CheckRecord  = "record"
	CheckHarness = "harness"
	CheckRequire = "require"
	CheckVacuity = "vacuity"
)

// Harness asks whether the tool itself saw and did all it had to. When the collector's
// socket dropped 17 datagrams, 17 datagrams of counts may be missing, and no instance is to
// blame for any of them.
func Harness(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	for _, ev := range e.History.Events {
		switch {
		case ev.Kind == record.Trouble:
			out = append(out, troubleFinding(ev))
		case ev.Kind == record.Death && !ev.Expected:
			out = append(out, verdict.Finding{Check: CheckHarness, Instance: ev.Instance, From: ev.At.Seconds(), To: ev.At.Seconds(),
				Summary: fmt.Sprintf("%s died at %s and nobody had asked for it (%s): what its metrics lack proves nothing", ev.Instance, words.Seconds(ev.At), exitText(ev))})
		case ev.Kind == record.WorkerEnd && !ev.Expected:
			out = append(out, verdict.Finding{Check: CheckHarness, Layer: record.LayerUsers, From: ev.At.Seconds(), To: ev.At.Seconds(),
				Summary: fmt.Sprintf("worker %d of the %d that shared the load was lost at %s (%s): what became of %s that it may have sent nobody knows, and what was due later it never sent",
					ev.Worker, e.Workers(), words.Seconds(ev.At), ev.Error, words.Times(ev.Count, "request"))})
		case ev.Kind == record.CollectorEnd && !ev.Expected:
			out = append(out, verdict.Finding{Check: CheckHarness, From: ev.At.Seconds(), To: ev.At.Seconds(),
				Summary: fmt.Sprintf("the collector's process ended at %s and nobody had asked for it (%s): what is missing from then on proves nothing", words.Seconds(ev.At), exitText(ev))})
		}
	}
	out = append(out, holes(e)...)
	if len(out) == 0 {
		polls := "no poll failed"
		if slices.ContainsFunc(e.History.Events, func(ev record.Event) bool {
			return ev.Kind == record.Note && strings.HasPrefix(ev.About, evidence.AboutPoller)
		}) {
			polls = "no poll failed but of what a fault kept from answering"
		}
		out = append(out, verdict.Finding{Check: CheckHarness, Outcome: verdict.Pass,
			Summary: fmt.Sprintf("the harness kept its schedule and saw everything: no datagram dropped, %s, no instance died unasked; requests were sent at most %s late",
				polls, e.Users.Latest.Round(100*time.Microsecond))})
	}
	return out
}

// Notes are what the harness wrote down beside what it had to do. They touch no
// outcome.
func Notes(e *evidence.Index) []string {
	var out []string
	for _, ev := range e.History.Events {
		if ev.Kind != record.Note {
			continue
		}
		text := fmt.Sprintf("%s at %s", ev.About, words.Seconds(ev.At))
		if ev.Error != "" {
			text += ": " + ev.Error
		}
		out = append(out, text)
	}
	return out
}

func troubleFinding(ev record.Event) verdict.Finding {
	f := verdict.Finding{Check: CheckHarness, Instance: ev.Instance, From: ev.At.Seconds(), To: ev.At.Seconds()}
	why := ""
	if ev.Error != "" {
		why = ": " + ev.Error
	}
	switch {
	case ev.About == evidence.AboutLoad:
		f.Layer = record.LayerUsers
		f.Summary = fmt.Sprintf("the load generator missed its schedule at %s (%s late)%s", words.Seconds(ev.At), words.Times(ev.Count, "request"), why)
	case ev.About == evidence.AboutCollector && ev.Count > 0:
		f.Layer = record.LayerWeb
		whose := "the instances"
		if ev.Instance != "" {
			whose = ev.Instance
		}
		f.Summary = fmt.Sprintf("the collector's socket dropped %s of %s%s", words.Times(ev.Count, "datagram"), whose, why)
	case strings.HasPrefix(ev.About, evidence.AboutPoller):
		f.Summary = fmt.Sprintf("%s failed at %s%s", ev.About, words.Seconds(ev.At), why)
	default:
		f.Summary = fmt.Sprintf("trouble with %s at %s%s", ev.About, words.Seconds(ev.At), why)
	}
	return f
}

// exitText tells how a process ended: "exit status 3", "SIGSEGV".
func exitText(ev record.Event) string {
	if ev.Signal != "" {
		return ev.Signal
	}
	return fmt.Sprintf("exit status %d", ev.Code)
}
