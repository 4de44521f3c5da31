package scaling

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// replayed asks the record what the autoscaler was answered, and the policy what follows from
// that: both must be what the journal has, to the byte. A decision that is no consequence of
// what was held says nothing of the metric.
func (j *judging) replayed() verdict.Finding {
	store, err := j.ask(j.held)
	if err != nil {
		return j.finding(verdict.Inconclusive, "the decisions cannot be made again: %v", err)
	}
	scaler := autoscale.New(j.policy)
	unanswered := 0
	for k, d := range j.decisions {
		if d.Error != "" {
			unanswered++
		}
		if asked := d.Error == "" && (len(d.Samples) > 0 || d.Because != autoscale.OutOfBounds); asked {
			differ, err := j.answersDiffer(store, d)
			if err != nil {
				differ = fmt.Sprintf("the journal has %s, and asking the record again is impossible: %v", written(d.Samples), err)
			}
			if n := j.e.CollectorFigure("timestamped_lines_total"); differ != "" && n > 0 {
				return j.finding(verdict.Inconclusive, "decision %d at %s cannot be made again: %s; %s brought times of their own, and came into the store after it",
					k+1, words.Seconds(d.At), differ, words.Times(int(n), "line"))
			}
			if differ != "" {
				return j.different(k, "samples", differ)
			}
		}
		again := scaler.Decide(d.At, d.Reading())
		if field, differ := fieldsDiffer(d, again); field != "" {
			return j.different(k, field, differ)
		}
	}
	text := fmt.Sprintf("each of %s follows from what the collector held and from the policy", words.Times(len(j.decisions), "decision"))
	if unanswered > 0 {
		text += fmt.Sprintf("; at %d of them nobody answered", unanswered)
	}
	return j.finding(verdict.Pass, "%s", text)
}

// different is about the first decision that cannot be made again; what comes after it may
// only follow.
func (j *judging) different(k int, field, how string) verdict.Finding {
	d := j.decisions[k]
	f := j.finding(verdict.Fail, "decision %d at %s does not follow from the record: %s: %s", k+1, words.Seconds(d.At), field, how)
	f.Cause = verdict.CauseNotReplayed
	return between(f, d.At, d.At)
}

// answersDiffer compares the samples of a decision with what the record gives; "": they are
// the same.
func (j *judging) answersDiffer(store asked, d autoscale.Decision) (string, error) {
	again, err := store.samples(j.on, d.At)
	if err != nil {
		return "", err
	}
	if sameSamples(d.Samples, again) {
		return "", nil
	}
	// What begins in the next interval gets a first zero at the end of this one, which nobody
	// could see yet.
	if early, then := j.heldAt(d.At); early {
		if store, err = j.ask(then); err != nil {
			return "", err
		}
		if again, err = store.samples(j.on, d.At); err != nil || sameSamples(d.Samples, again) {
			return "", err
		}
	}
	return fmt.Sprintf("the journal has %s, and the record gives %s", written(d.Samples), written(again)), nil
}

// heldAt is what the collector held at an interval end, as far as it is told afterwards;
// early: that is less than the record has of that time.
func (j *judging) heldAt(t time.Duration) (early bool, then []record.Series) {
	for _, s := range j.held {
		n := 0
		for n < len(s.Points) && s.Points[n].At <= t {
			n++
		}
		if n == 1 && s.Points[0].At == t && s.Points[0].Value == 0 && s.Points[0].Observed == 0 {
			early = true
			continue
		}
		if n > 0 {
			s.Points = s.Points[:n]
			then = append(then, s)
		}
	}
	return early, then
}

// sameSamples compares to the bit.
func sameSamples(a, b []autoscale.Sample) bool {
	return slices.EqualFunc(a, b, func(x, y autoscale.Sample) bool {
		return x.Instance == y.Instance && (math.Float64bits(x.Value) == math.Float64bits(y.Value) || math.IsNaN(x.Value) && math.IsNaN(y.Value))
	})
}

// written gives samples for a finding: "181.2", "web-1 60, web-2 61.5", "nothing".
func written(samples []autoscale.Sample) string {
	var all []string
	for _, s := range samples {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %v", s.Instance, s.Value)))
	}
	if len(all) == 0 {
		return "nothing"
	}
	return words.Some(all)
}

// fieldsDiffer names the first field in which two decisions differ, as a journal writes them;
// "": there is none.
func fieldsDiffer(journal, again autoscale.Decision) (field, how string) {
	a, b := reflect.ValueOf(journal), reflect.ValueOf(again)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		x, y := inJournal(a.Field(i)), inJournal(b.Field(i))
		if x != y {
			return name, fmt.Sprintf("the journal has %s, and the policy gives %s", x, y)
		}
	}
	return "", ""
}

// inJournal writes the value of a field as the journal does, with nothing for what it leaves out.
func inJournal(v reflect.Value) string {
	if v.Kind() == reflect.Slice && v.Len() == 0 || v.Kind() == reflect.Pointer && v.IsNil() {
		return "nothing"
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
