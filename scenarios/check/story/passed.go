package story

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// passed tells what was done to the stack, and what holds all the same.
func (t *teller) passed() (title, sentence string) {
	done := told(t.deeds())
	if len(done) == 0 {
		done = []string{"nothing was done to the stack"}
	}
	title, holds := t.holds()
	text := strings.Join(done, ", ") + ", and " + holds
	if how := t.booked(); len(how) > 0 {
		text += ": " + list(how)
	}
	return title, asSentence(text)
}

// holds is what the checks prove.
func (t *teller) holds() (title, clause string) {
	counts := script.Promised[script.Conservation](t.s)
	waived := slices.ContainsFunc(t.v.Waived, func(w verdict.Waiver) bool { return w.Findings > 0 })
	switch {
	case waived:
		return "All checks hold but for what is waived", "all checks hold but for what is waived"
	case len(counts) == 0 || t.acked == 0:
		return "All checks hold", fmt.Sprintf("all checks hold (%s)", list(t.kinds()))
	case t.sampled():
		return fmt.Sprintf("The counts are what the declared sample rate makes of %s", words.Times(t.acked, t.noun)),
			fmt.Sprintf("the counts are what the declared sample rate makes of %s", words.Times(t.acked, t.noun))
	case t.acked == 1:
		return "The one acknowledged " + t.noun + " is accounted for", "the one acknowledged " + t.noun + " is accounted for"
	}
	of := "all " + words.Times(t.acked, t.noun)
	if t.unacknowledged() {
		of = fmt.Sprintf("all %s acknowledged %s", words.Number(t.acked), strings.TrimPrefix(words.Times(2, t.noun), "2 "))
	}
	return "Every acknowledged " + t.noun + " is accounted for", of + " are accounted for"
}

// unacknowledged tells whether the metrics' routes had requests that were not acknowledged.
func (t *teller) unacknowledged() bool {
	counts := script.Promised[script.Conservation](t.s)
	return slices.ContainsFunc(t.h.Requests, func(r record.Request) bool {
		return r.Outcome != record.Acked && slices.ContainsFunc(counts, func(c script.Conservation) bool { return c.Route == r.Route })
	})
}

// kinds names the checks that the scenario asks for, each once.
func (t *teller) kinds() (names []string) {
	for _, c := range t.s.Checks {
		if !slices.Contains(names, c.Kind()) {
			names = append(names, c.Kind())
		}
	}
	return names
}

// booked tells what differences between users and metric there are, and what allows them.
func (t *teller) booked() (clauses []string) {
	type booking struct {
		n         int64
		instances []string
	}
	lost, extra := map[string]*booking{}, map[string]*booking{}
	add := func(to map[string]*booking, cause, instance string, n int64) {
		if n == 0 {
			return
		}
		if to[cause] == nil {
			to[cause] = &booking{}
		}
		to[cause].n += n
		if !slices.Contains(to[cause].instances, instance) { // several checks may say so
			to[cause].instances = append(to[cause].instances, instance)
		}
	}
	for _, r := range t.v.Residuals {
		if r.Between == account.Between {
			add(lost, r.Cause, r.Instance, r.Lost)
			add(extra, r.Cause, r.Instance, r.Extra)
		}
	}
	if b := lost[verdict.CauseBuffer]; b != nil {
		clauses = append(clauses, fmt.Sprintf("%s of them %s in the %s of %s when %s killed, as declared", words.Number(b.n), was(b.n),
			choose(len(b.instances) > 1, "buffers", "buffer"), number(b.instances), choose(len(b.instances) > 1, "they were", "it was")))
	}
	if b := lost[verdict.CauseUnscraped]; b != nil {
		clauses = append(clauses, fmt.Sprintf("%s of them %s counted after the last %s of %s, and ended with %s, as declared", words.Number(b.n), was(b.n),
			choose(len(b.instances) > 1, "scrapes", "scrape"), number(b.instances), choose(len(b.instances) > 1, "them", "it")))
	}
	if b := lost[verdict.CauseAgentKilled]; b != nil {
		clauses = append(clauses, fmt.Sprintf("%s %s held by an agent when it was killed", words.Number(b.n), was(b.n)))
	}
	if b := lost[verdict.CauseAgentAway]; b != nil {
		clauses = append(clauses, fmt.Sprintf("%s %s sent while no agent was there", words.Number(b.n), was(b.n)))
	}
	if b := extra[verdict.CauseRetry]; b != nil {
		clauses = append(clauses, fmt.Sprintf("%s more %s counted, since the load balancer repeated requests", words.Number(b.n), was(b.n)))
	}
	if b := extra[verdict.CauseUnknown]; b != nil {
		clauses = append(clauses, fmt.Sprintf("%s more %s counted, whose answer did not come", words.Number(b.n), was(b.n)))
	}
	return clauses
}
