package story

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// causes explains the failures of a run.
func (t *teller) causes() []verdict.Explanation {
	out := []verdict.Explanation{}
	for _, s := range t.strands(t.having(verdict.Fail)) {
		only := t.release(s)
		e := verdict.Explanation{Cause: s.cause, Title: t.title(s) + only.only(), Sentence: t.said(s, only), Findings: s.findings, Consequences: s.consequences}
		if d, known := docs.Find(s.cause); known && s.cause != undecided {
			e.Repair = d.RepairBy(t.way(s))
		}
		out = append(out, e)
	}
	return out
}

// title says in a few words what is wrong.
func (t *teller) title(s *strand) string {
	who, several := t.who(s.findings)
	d, known := docs.Find(s.cause)
	switch {
	case s.cause == undecided:
		return capital(who + " " + t.symptom(s, several) + ", and the cause is open")
	case known:
		return capital(d.Titled(who, several))
	}
	return capital(t.uncaused(s))
}

// symptom is what is wrong with counts whose cause is open.
func (t *teller) symptom(s *strand, several bool) string {
	switch lost, extra := t.sums(s.findings); {
	case lost > 0:
		return choose(several, "lose counts", "loses counts")
	case extra > 0:
		return choose(several, "count too much", "counts too much")
	}
	return choose(several, "do not count as declared", "does not count as declared")
}

// uncaused is the title of findings that name no cause: what differs, or the first of them
// up to its details.
func (t *teller) uncaused(s *strand) string {
	f := t.v.Findings[s.findings[0]]
	who, several := t.who(s.findings)
	switch {
	case f.Check == failures:
		return who + " " + choose(several, "answer", "answers") + " requests with 5xx"
	case f.Check == latency:
		return "users wait longer than promised"
	case f.Check == availability:
		return "fewer requests are answered than promised"
	case f.Check == conservation && f.Layer == record.LayerLB:
		return "users and load balancer do not count the same requests"
	case f.Check == conservation && f.Layer == record.LayerDB:
		return "the database does not hold what users had acknowledged"
	case f.Check == conservation && f.Instance == "":
		return "the instances together " + t.symptom(s, true)
	case f.Check == conservation:
		return who + " " + t.symptom(s, several)
	case f.Check == continuity:
		return who + " " + choose(several, "have gaps", "has gaps")
	case f.Check == twoViews && strings.HasPrefix(f.Summary, "two views"):
		return "host and agent do not see " + who + " as they should"
	case f.Check == promQL: // which may have a colon in it
		return "the expression " + f.Summary[:max(0, strings.LastIndex(f.Summary, ": "))]
	}
	return cmp.Or(head(plainly(f.Summary)), "the check "+f.Check+" does not hold")
}

// named is what a summary begins with before it says something: "alert WebDown: did not
// fire …".
var named = regexp.MustCompile(`^(alert [^:]+): `)

// plainly is a summary without what a sentence has no room for.
func plainly(summary string) string {
	return withoutAsides(named.ReplaceAllString(strings.TrimRight(summary, ".; "), "$1 "))
}

// head is a summary up to its details.
func head(summary string) string {
	if end := strings.IndexAny(summary, ":;"); end > 0 {
		return summary[:end]
	}
	return summary
}

// said is the sentence on a strand: how many, where and when, of which version, and what else it may be.
func (t *teller) said(s *strand, only *release) string {
	amount, where := t.amount(s), t.where(s)
	switch {
	case amount == "":
		amount = t.first(s)
	case where != "":
		amount += choose(t.sharedOut(s), ": ", ", ") + where
	}
	if scaled := t.scaled(s); scaled != "" {
		amount = scaled + ", because " + midway(amount)
	}
	text := asSentence(amount)
	for _, more := range []string{t.allowed(s), t.comesTo(s), only.told(), t.doubtful(s)} {
		if more != "" {
			text += " " + asSentence(more)
		}
	}
	return text
}

// scaled is what an autoscaler made of the fleet that was led astray by what is wrong here: "the
// fleet was too small for 14.0 s, by up to 2 instances"; "": none was.
func (t *teller) scaled(s *strand) string {
	var all []string
	for _, i := range s.consequences {
		if f := t.v.Findings[i]; f.Check == scaling && slices.Contains(misled, f.Cause) {
			all = append(all, head(f.Summary))
		}
	}
	return strings.Join(all, ", and ")
}

// sharedOut tells whether the places of a strand are shares of its amount.
func (t *teller) sharedOut(s *strand) bool {
	lost, extra := t.sums(s.findings)
	return lost+extra > 0 && len(t.instancesOf(s.findings)) > 0
}

// first is what is said where there is no number that can be added up: the first finding,
// or the shortest where no cause is known, and who else has it.
func (t *teller) first(s *strand) string {
	f := t.v.Findings[s.findings[0]]
	for _, i := range s.findings {
		if g := t.v.Findings[i]; s.cause == "" && g.Instance == f.Instance && len(g.Summary) < len(f.Summary) {
			f = g
		}
	}
	text := cmp.Or(plainly(f.Summary), "the check "+f.Check+" does not hold")
	if f.Check == promQL {
		text = "the expression " + f.Summary
	}
	others := slices.DeleteFunc(t.instancesOf(s.findings), func(name string) bool { return name == f.Instance })
	switch {
	case len(others) > 0:
		text += "; likewise " + t.group(others)
	case len(s.findings) > 1:
		text += fmt.Sprintf("; and %s like it", words.Times(len(s.findings)-1, "finding"))
	}
	return text
}

// allowed tells how many of those that are missing may be, as the scenario declares.
func (t *teller) allowed(s *strand) string {
	if s.check != conservation || s.layer != record.LayerWeb {
		return ""
	}
	var n int64
	names := t.instancesOf(s.findings)
	for _, r := range t.v.Residuals {
		if _, to := r.Layers(); to == s.layer && (r.Cause == verdict.CauseBuffer || r.Cause == verdict.CauseUnscraped) && slices.Contains(names, r.Instance) {
			n += r.Lost
		}
	}
	var away int64
	for _, r := range t.v.Residuals {
		if r.Cause == verdict.CauseAgentAway && slices.Contains(names, r.Instance) {
			away += r.Lost
		}
	}
	switch {
	case n == 0 && away == 0:
		return ""
	case n == 0:
		return fmt.Sprintf("%s of them may have been sent while no agent was there", words.Number(away))
	}
	return fmt.Sprintf("the declared client_window allows for %s of them", words.Number(n))
}

// comesTo tells what a counter lacks that began anew, or has too much that began with
// another's value.
func (t *teller) comesTo(s *strand) string {
	if s.cause != verdict.CauseReset && s.cause != verdict.CauseGoesOn {
		return ""
	}
	var lost, extra int64
	for _, i := range s.consequences {
		if f := t.v.Findings[i]; f.Check == conservation && f.Instance != "" {
			lost, extra = lost+f.Lost, extra+f.Extra
		}
	}
	switch {
	case lost > 0:
		return fmt.Sprintf("%s %s missing from the count", share(lost, t.acked, t.noun), choose(lost != 1, "are", "is"))
	case extra > 0:
		return t.counted(0, extra)
	}
	return ""
}

// tellingApart finds what a summary says would tell possible causes apart.
var tellingApart = regexp.MustCompile(`; ([^;]+ would tell[^;]*)$`)

// doubtful tells which other causes there may be.
func (t *teller) doubtful(s *strand) string {
	var possible, near, where, nearAt []string
	apart := ""
	for _, i := range s.findings {
		f := t.v.Findings[i]
		others := slices.DeleteFunc(slices.Clone(f.Possible), func(c string) bool { return c == s.cause })
		possible = append(possible, others...)
		if len(others) > 0 {
			where = append(where, f.Instance)
		}
		if f.RunnerUp != "" && f.RunnerUp != s.cause {
			near, nearAt = append(near, f.RunnerUp), append(nearAt, f.Instance)
		}
		if m := tellingApart.FindStringSubmatch(f.Summary); m != nil {
			apart = ": " + m[1]
		}
	}
	switch {
	case s.cause == undecided && len(possible) == 0:
		return "no cause that is known here fits the record"
	case s.cause == undecided:
		return "it may be " + or(possible) + apart
	case len(where) == len(s.findings):
		return "it may be " + or(possible) + " as well"
	case len(possible) > 0:
		return fmt.Sprintf("at %s it may be %s as well", t.group(unique(where)), or(possible))
	case len(near) == len(s.findings):
		return "the next likely cause is " + or(near)
	case len(near) > 0:
		return fmt.Sprintf("at %s the next likely cause is %s", t.group(unique(nearAt)), or(near))
	}
	return ""
}

// mostPossible is how many alternatives are named.
const mostPossible = 4

// or joins alternatives, each once.
func or(all []string) string {
	all = unique(all)
	if n := len(all); n > mostPossible {
		all = append(all[:mostPossible-1:mostPossible-1], fmt.Sprintf("one of %d others", n-mostPossible+1))
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

func unique(all []string) (out []string) {
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func choose(several bool, many, one string) string {
	if several {
		return many
	}
	return one
}
