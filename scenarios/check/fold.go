package check

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
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
	outcome                 verdict.Outcome
	cause, runnerUp, waived string
}

func likenessOf(f verdict.Finding) likeness {
	return likeness{f.Check, f.Layer, f.Instance, f.Outcome, f.Cause, f.RunnerUp, f.Waived}
}

// fold tells what is found again and again as one finding, in the place of the
// first. What passed, and is no waived failure, stays as it is.
func fold(findings []verdict.Finding) []verdict.Finding {
	groups := map[likeness][]int{}
	for i, f := range findings {
		if f.Outcome != verdict.Pass || f.Waived != "" {
			groups[likenessOf(f)] = append(groups[likenessOf(f)], i)
		}
	}
	gone := make([]bool, len(findings))
	told := map[int]verdict.Finding{}
	for _, group := range groups {
		if group = sameWording(findings, group); len(group) <= mostAlike {
			continue
		}
		for _, i := range group {
			gone[i] = true
		}
		told[group[0]] = addUp(findings, group)
	}
	var out []verdict.Finding
	for i, f := range findings {
		if one, folded := told[i]; folded {
			out = append(out, one)
		} else if !gone[i] {
			out = append(out, f)
		}
	}
	return out
}

// sameWording leaves out of a group what says something that no other says, numbers
// aside: "web-1 has 140 series instead of one" beside 140 times "a tag too many".
// Where nearly all are of that sort, as of metrics that each have a name, it is the
// whole group.
func sameWording(findings []verdict.Finding, group []int) []int {
	wording := func(i int) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return -1
			}
			return r
		}, findings[i].Summary)
	}
	said := map[string]int{}
	for _, i := range group {
		said[wording(i)]++
	}
	often := slices.DeleteFunc(slices.Clone(group), func(i int) bool { return said[wording(i)] == 1 })
	if len(group)-len(often) > mostAlike {
		return group
	}
	return often
}

// addUp adds up findings that are alike.
func addUp(findings []verdict.Finding, group []int) verdict.Finding {
	one := findings[group[0]]
	for _, i := range group[1:] {
		f := findings[i]
		one.Lost += f.Lost
		one.Extra += f.Extra
		one.Bound += f.Bound
		one.From, one.To = min(one.From, f.From), max(one.To, f.To)
	}
	one.Alike, one.Summary = len(group), examples(findings, group)
	return one
}

// examples gives the first few summaries: "web-1 has a tag too many: a, b, c, …
// (3,674 in all)". What they have in common up to a colon is said once.
func examples(findings []verdict.Finding, group []int) string {
	same := findings[group[0]].Summary
	for _, i := range group[1:mostExamples] {
		n, other := 0, findings[i].Summary
		for n < min(len(same), len(other)) && same[n] == other[n] {
			n++
		}
		same = same[:n]
	}
	same = same[:strings.LastIndex(same, ": ")+1] // "" where they have none
	between := "; "
	if same != "" {
		same, between = same+" ", ", "
	}
	var told []string
	for _, i := range group[:mostExamples] {
		told = append(told, findings[i].Summary[len(same):])
	}
	return fmt.Sprintf("%s%s%s… (%s in all)", same, strings.Join(told, between), between, words.Number(int64(len(group))))
}
