package signals

import (
	"fmt"
	"slices"
	"strings"

	"throughline/collector/series"
	"throughline/scenarios/script"
	"throughline/spelling"
)

// RulesOf gives the alerting rules that a check of a scenario is about: the one that stands in the check, or the one that it
// names in a file, or all of the file. The error says what is wrong with the file, or that it has none of that name.
func RulesOf(p script.Alert, s script.Scenario) ([]series.Rule, error) {
	if p.File == "" {
		return []series.Rule{{Name: p.Name, Expr: p.Expr, For: p.For}}, nil
	}
	source, read := s.Rules[p.File]
	if !read {
		return nil, fmt.Errorf("%s: what is in it is not known", p.File)
	}
	all, err := series.ParseRules(p.File, []byte(source))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range all {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	if p.Name == "" {
		if len(all) > 1 && p.Fires != nil {
			return nil, fmt.Errorf("%s has %d alerts (%s): which of them must fire? add name", p.File, len(all), strings.Join(names, ", "))
		}
		return all, nil
	}
	all = slices.DeleteFunc(all, func(r series.Rule) bool { return r.Name != p.Name })
	switch {
	case len(all) == 0:
		hint := "it has " + strings.Join(names, ", ")
		if near := spelling.Nearest(p.Name, names); near != "" {
			hint = fmt.Sprintf("did you mean %s? (%s)", near, hint)
		}
		return nil, fmt.Errorf("%s has no alert %s: %s", p.File, p.Name, hint)
	case len(all) > 1:
		return nil, fmt.Errorf("%s has %d alerts %s, in %s: give each a name of its own", p.File, len(all), p.Name, groupsOf(all))
	}
	return all, nil
}

func groupsOf(all []series.Rule) string {
	var names []string
	for _, r := range all {
		if !slices.Contains(names, r.Group) {
			names = append(names, r.Group)
		}
	}
	return "group " + strings.Join(names, " and ")
}
