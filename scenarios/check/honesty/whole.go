package honesty

import (
	"fmt"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// WholeRecord asks whether the record can prove anything at all: it is as the run wrote it,
// it has its end, and all who act in it are known. If web-4 answered 12 requests and was
// never born, or web-2 answered one that was sent after its death, a life is missing, and
// with it the bounds of what that instance may have counted.
type WholeRecord struct{}

// Judge makes the run void where the record is damaged or has flaws.
func (WholeRecord) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	say := func(format string, args ...any) {
		out = append(out, verdict.Finding{Check: CheckRecord, Summary: fmt.Sprintf(format, args...)})
	}
	for _, damage := range e.History.Damage {
		out = append(out, Damaged(damage))
	}
	var ended, interrupted bool
	for _, ev := range e.History.Events {
		ended = ended || ev.Kind == record.RunEnd
		if ev.Kind == record.Interrupted && !interrupted {
			interrupted = true
			say("the run was interrupted at %s: it proves nothing", words.Seconds(ev.At))
		}
	}
	if !ended {
		say("the journal has no end: the run was cut short and its record is not whole")
	}
	if len(e.History.Requests) == 0 {
		say("the users' ledger is empty: no request was sent")
	}
	if e.Begin == record.Never || e.End == record.Never {
		say("the journal does not tell when the load began and ended")
	}
	flaws := flaws(e)
	for _, wrong := range flaws {
		say("the record is not what was seen: %s", wrong)
	}
	out = append(out, strangersFound(e)...)
	out = append(out, secondLives(e)...)
	if n := e.Users.Unattributed; n > 0 {
		say("no instance is named by %s, which may belong to any that was alive then", words.Times(n, "acknowledged request"))
	}
	if len(out) == 0 {
		out = append(out, verdict.Finding{Check: CheckRecord, Outcome: verdict.Pass, Summary: fmt.Sprintf("the record is whole: %s, %s, %s",
			words.Times(int64(len(e.History.Events)), "event"), words.Times(e.Users.Requests, "request"), words.Plural(int64(len(e.History.Series)), "series"))})
	}
	return verdict.Result{Findings: out, Void: len(e.History.Damage)+len(flaws) > 0}
}

// Damaged is the finding about a part of the record that cannot be read.
func Damaged(how string) verdict.Finding {
	return verdict.Finding{Check: CheckRecord, Summary: "the record is damaged: " + how}
}

// strangersFound reports instances that answered without ever being born.
func strangersFound(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	for _, name := range e.Strangers {
		out = append(out, verdict.Finding{Check: CheckRecord, Layer: record.LayerUsers, Instance: name,
			Summary: fmt.Sprintf("%s answered %s, and the journal knows no birth of it: the record is not whole", name,
				words.Times(int64(len(e.Acked(name))), "request"))})
	}
	return out
}

// secondLives reports instances of which the journal knows one life, or would
// know only the last, and that had others: what is compared with a lifetime
// would be compared with the wrong one.
func secondLives(e *evidence.Index) []verdict.Finding {
	births, dead, unborn := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, ev := range e.History.Events {
		if ev.Kind == record.Birth {
			births[ev.Instance]++
		}
	}
	lives := map[string]record.Lifetime{}
	for _, l := range e.Lives {
		lives[l.Instance] = l
	}
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if r.Outcome != record.Acked || r.Instance == "" {
			continue
		}
		switch l := lives[r.Instance]; {
		case l.Death != record.Never && r.Sent-e.Apart() > l.Death:
			dead[r.Instance]++
		case l.Birth != record.Never && r.Done+e.Apart() < l.Birth:
			unborn[r.Instance]++
		}
	}
	var out []verdict.Finding
	for _, l := range e.Lives {
		say := func(format string, args ...any) {
			out = append(out, verdict.Finding{Check: CheckRecord, Layer: record.LayerUsers, Instance: l.Instance, Summary: fmt.Sprintf(format, args...)})
		}
		if n := births[l.Instance]; n > 1 {
			say("%s was born %s: the name of an instance is not used twice", l.Instance, words.Times(n, "time"))
		}
		if n := dead[l.Instance]; n > 0 {
			say("%s answered %s after its death at %s: it has another life, of which the journal knows nothing", l.Instance, words.Times(n, "request"), words.Seconds(l.Death))
		}
		if n := unborn[l.Instance]; n > 0 {
			say("%s answered %s before its birth at %s: it has another life, of which the journal knows nothing", l.Instance, words.Times(n, "request"), words.Seconds(l.Birth))
		}
	}
	return out
}
