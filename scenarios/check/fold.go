package check

import (
	"fmt"
	"strings"
)

// A defect that touches every series of an instance would be told as often as
// there are series. Findings of one check that say the same of many things are
// told as one: some of them as examples, and how many there are.
const (
	mostAlike    = 10 // as many are told one by one
	mostExamples = 3
)

// likeness is what findings that can be told as one have in common.
type likeness struct {
	check, layer, instance  string
	outcome                 Outcome
	cause, runnerUp, waived string
}

// fold tells what is found again and again as one finding, in the place of the
// first. What passed, and is no waived failure, stays as it is.
func fold(findings []Finding) []Finding {
	groups := map[likeness][]Finding{}
	key := func(f Finding) likeness {
		return likeness{f.Check, f.Layer, f.Instance, f.Outcome, f.Cause, f.RunnerUp, f.Waived}
	}
	for _, f := range findings {
		if f.Outcome != Pass || f.Waived != "" {
			groups[key(f)] = append(groups[key(f)], f)
		}
	}
	var out []Finding
	for _, f := range findings {
		group := groups[key(f)]
		switch {
		case len(group) <= mostAlike || f.Outcome == Pass && f.Waived == "":
			out = append(out, f)
		case group[0].Alike == 0:
			group[0].Alike = len(group) // it is told now
			out = append(out, asOne(group))
		}
	}
	return out
}

// asOne adds up findings that are alike.
func asOne(group []Finding) Finding {
	one := group[0]
	for _, f := range group[1:] {
		one.Lost += f.Lost
		one.Extra += f.Extra
		one.Bound += f.Bound
		one.From, one.To = min(one.From, f.From), max(one.To, f.To)
	}
	one.Summary = examples(group)
	return one
}

// examples gives the first few summaries: "web-1 has a tag too many: a, b, c, …
// (3,674 in all)". What they have in common up to a colon is said once.
func examples(group []Finding) string {
	common := group[0].Summary
	for _, f := range group[1:mostExamples] {
		n := 0
		for n < min(len(common), len(f.Summary)) && common[n] == f.Summary[n] {
			n++
		}
		common = common[:n]
	}
	common = common[:strings.LastIndex(common, ": ")+1] // "" where they have none
	between := "; "
	if common != "" {
		common, between = common+" ", ", "
	}
	var told []string
	for _, f := range group[:mostExamples] {
		told = append(told, f.Summary[len(common):])
	}
	return fmt.Sprintf("%s%s%s… (%s in all)", common, strings.Join(told, between), between, number(int64(len(group))))
}
