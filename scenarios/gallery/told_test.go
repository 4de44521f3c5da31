package gallery

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// The gallery knows what is wrong, with whom and by how much, from the raw rows of the
// record. isToldRightly holds the sentence of a verdict against that.
func isToldRightly(t *testing.T, s savedRun, h record.History, v verdict.Verdict) {
	t.Helper()
	if v.Title == "" || !strings.HasSuffix(v.Sentence, ".") || strings.ContainsAny(v.Title+v.Sentence, "{}%!\n") && !sound.MatchString(v.Title+v.Sentence) {
		t.Errorf("title %q, sentence %q", v.Title, v.Sentence)
	}
	areExplainedOnce(t, v)
	switch {
	case s.control != nil:
		passIsTold(t, h, v)
	case s.entry.Want.Outcome == verdict.Inconclusive:
		doubtIsTold(t, s.entry.Want, v)
	default:
		defectIsTold(t, *s.entry, h, v)
	}
}

// sound are the signs that belong into a sentence: a share, and the labels of a series.
var sound = regexp.MustCompile(`^(?:[^{}%!]|\d %|[a-z_]+\{[a-z_]+="[^{}]*"\})*$`)

// areExplainedOnce demands each finding that is not a pass in one explanation, and no other
// there.
func areExplainedOnce(t *testing.T, v verdict.Verdict) {
	t.Helper()
	in := map[int]int{}
	for _, e := range v.Explanations {
		if len(e.Findings) == 0 || e.Title == "" || !strings.HasSuffix(e.Sentence, ".") || e.Repair != "" && !strings.HasSuffix(e.Repair, ".") {
			t.Errorf("explanation %+v", e)
		}
		for _, i := range slices.Concat(e.Findings, e.Consequences) {
			in[i]++
		}
	}
	for i, f := range v.Findings {
		want := 0
		if f.Outcome != verdict.Pass {
			want = 1
		}
		if in[i] != want {
			t.Errorf("finding %d (%s %s of %s) is in %d explanations, want %d", i, f.Outcome, f.Check, f.Instance, in[i], want)
		}
	}
}

// ofLoss are words that a healthy run gives no reason for.
var ofLoss = regexp.MustCompile(`(?i)\b(los[a-z]*|miss[a-z]*|never|late|too (many|much)|fail[a-z]*|wrong[a-z]*|unexplained)\b`)

// passIsTold demands that a healthy run is told as one, with the number of what is
// accounted for.
func passIsTold(t *testing.T, h record.History, v verdict.Verdict) {
	t.Helper()
	if bad := ofLoss.FindString(v.Title + " " + v.Sentence); bad != "" || len(v.Explanations) > 0 {
		t.Errorf("a pass says %q: %s: %s", bad, v.Title, v.Sentence)
	}
	if n := numbers(v.Sentence); !slices.Contains(n, acknowledged(h)) {
		t.Errorf("the sentence does not say that %d inserts are accounted for: %s", acknowledged(h), v.Sentence)
	}
	for _, l := range h.Lifetimes() {
		killed := l.Role == record.Web && l.Expected && l.Signal == "SIGKILL"
		if said := strings.Contains(v.Sentence, "killed"); killed && !said {
			t.Errorf("%s was killed, and the sentence does not tell: %s", l.Instance, v.Sentence)
		}
	}
}

// doubtIsTold demands the right reason first, and what to do about it.
func doubtIsTold(t *testing.T, want Want, v verdict.Verdict) {
	t.Helper()
	if !strings.HasPrefix(v.Title, "This run proves nothing") || !strings.HasPrefix(v.Sentence, "This run proves nothing") {
		t.Errorf("a doubt begins with %q, %q", v.Title, v.Sentence)
	}
	e := v.Explanations[0]
	if first := v.Findings[e.Findings[0]]; first.Check != want.Check || e.Repair == "" || !strings.Contains(v.Sentence, e.Repair) {
		t.Errorf("it doubts %s first, want %s; what to do: %q", first.Check, want.Check, e.Repair)
	}
}

// ofOneVersion finds what is said of a defect that a version alone has.
var ofOneVersion = regexp.MustCompile(` \(v\d only\)$`)

// leftOpen are entries whose cause the saved record does not decide (scores.txt says so).
var leftOpen = []string{"drop-datagrams"}

// defectIsTold demands the title of the cause for the right instances, and the right number.
func defectIsTold(t *testing.T, e Entry, h record.History, v verdict.Verdict) {
	t.Helper()
	first := v.Explanations[0]
	to := e.Want.Instances
	if to == nil && e.Want.Amount != nil { // whoever lost some
		for _, l := range h.Lifetimes() {
			if l.Role == record.Web && e.Want.Amount(h, l.Instance) != 0 {
				to = append(to, l.Instance)
			}
		}
	}
	to = sorted(to)
	switch {
	case slices.Contains(leftOpen, e.Name):
		if !strings.Contains(v.Title, "the cause is open") || !strings.Contains(v.Sentence, e.Want.Causes[0]) || !strings.Contains(v.Sentence, "would tell") {
			t.Errorf("it is not told that it may be %s: %s: %s", e.Want.Causes[0], v.Title, v.Sentence)
		}
	case len(e.Want.Causes) > 0:
		if only := " (" + e.Want.Version + " only)"; (e.Want.Version != "") != strings.HasSuffix(v.Title, only) {
			t.Errorf("it is of the version %q alone: %s: %s", e.Want.Version, v.Title, v.Sentence)
		}
		titleIsOf(t, leading(e.Want), to, first)
		way := ""
		switch {
		case e.Stage.OTLP != "":
			way = "otlp"
		case e.Stage.Scrape:
			way = "scrape"
		}
		if d, _ := docs.Find(first.Cause); !strings.Contains(v.Sentence, d.RepairBy(way)) {
			t.Errorf("the sentence does not say how to repair it: %s", v.Sentence)
		}
	}
	if len(to) > 0 {
		if named := instances(v.Title); !slices.Equal(named, to) {
			t.Errorf("%q names %v, want %v", v.Title, named, to)
		}
		named := instances(first.Sentence)
		if e.Want.Amount != nil { // whose counts came late has all of them
			to = slices.DeleteFunc(to, func(name string) bool { return e.Want.Amount(h, name) == 0 })
		}
		if lacks := func(name string) bool { return !slices.Contains(named, name) }; slices.ContainsFunc(to, lacks) || e.Want.Amount != nil && len(named) != len(to) {
			t.Errorf("%q names %v, want %v", first.Sentence, named, to)
		}
	}
	if e.Want.Amount != nil {
		amountIsTold(t, e, to, h, first)
	}
}

// leading are the causes of which the verdict must lead with one.
func leading(w Want) []string {
	if w.Behind != "" {
		return []string{w.Behind}
	}
	return w.Causes
}

func titleIsOf(t *testing.T, causes, to []string, e verdict.Explanation) {
	t.Helper()
	d, known := docs.Find(e.Cause)
	who := strings.Join(to, " and ")
	if n := len(to); n > 2 {
		who = strings.Join(to[:n-1], ", ") + " and " + to[n-1]
	}
	want := d.Titled(who, len(to) > 1) + ofOneVersion.FindString(e.Title)
	if len(to) == 0 { // some tier, or nobody
		want = e.Title
	}
	if !slices.Contains(causes, e.Cause) && !(e.Cause == "truncated-datagrams" && slices.Contains(causes, "bad-lines")) || !known || e.Title != want {
		t.Errorf("it leads with %s: %q, want one of %v: %q", e.Cause, e.Title, causes, want)
	}
}

// amountIsTold demands the number that the record's raw rows give.
func amountIsTold(t *testing.T, e Entry, to []string, h record.History, told verdict.Explanation) {
	t.Helper()
	var lost int64
	for _, instance := range to {
		lost += e.Want.Amount(h, instance)
	}
	acked := acknowledged(h)
	n := numbers(told.Sentence)
	switch {
	case first(e.Want.Causes) == verdict.CauseBeginning:
		if n[0] != lost || !strings.Contains(told.Sentence, "in no increase") {
			t.Errorf("%d are in no increase: %s", lost, told.Sentence)
		}
	case lost == acked:
		if n[0] != acked || !strings.HasPrefix(told.Sentence, "None of ") {
			t.Errorf("all of %d are lost: %s", acked, told.Sentence)
		}
	case lost > 0:
		share := strings.TrimSuffix(strconv.FormatFloat(100*float64(lost)/float64(acked), 'f', 1, 64), ".0")
		if n[0] != lost || n[1] != acked || !strings.Contains(told.Sentence, "never counted") || !strings.Contains(told.Sentence, "("+share+" %)") {
			t.Errorf("%d of %d are lost: %s", lost, acked, told.Sentence)
		}
	case lost < 0:
		if n[0] != -lost || !slices.Contains(n, acked) || !strings.Contains(told.Sentence, "too many were counted") {
			t.Errorf("%d are too many, of %d: %s", -lost, acked, told.Sentence)
		}
	}
	if len(to) < 2 {
		return
	}
	for _, instance := range to { // each by itself
		each := max(e.Want.Amount(h, instance), -e.Want.Amount(h, instance))
		if !slices.Contains(n, each) {
			t.Errorf("%d at %s: %s", each, instance, told.Sentence)
		}
	}
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// acknowledged is how many inserts users had acknowledged.
func acknowledged(h record.History) (n int64) {
	for _, r := range h.Requests {
		if r.Route == insert && r.Outcome == record.Acked {
			n++
		}
	}
	return n
}

var (
	wholeNumber = regexp.MustCompile(`(^|[ (])(\d[\d,]*)\b`)
	anInstance  = regexp.MustCompile(`(?:web|api|worker)-\d+`)
)

// numbers are those of a sentence, in its order.
func numbers(sentence string) (all []int64) {
	for _, m := range wholeNumber.FindAllStringSubmatch(sentence, -1) {
		n, err := strconv.ParseInt(strings.ReplaceAll(strings.TrimSuffix(m[2], ","), ",", ""), 10, 64)
		if err == nil {
			all = append(all, n)
		}
	}
	return all
}

func instances(text string) []string { return sorted(anInstance.FindAllString(text, -1)) }
