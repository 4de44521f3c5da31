package account

import (
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// Versions adds the accounts up by the version of their instances, in the order in which the versions came; none where
// there are less than two to compare. An instance that acknowledged nothing and counted nothing is in none.
func (b Books) Versions() (all []verdict.Version) {
	first := map[string]record.Lifetime{}
	for i := range b.Accounts {
		a := &b.Accounts[i]
		version := a.Life.Version
		if version == "" || len(a.Acked) == 0 && a.Total == 0 {
			continue
		}
		if known, there := first[version]; !there || a.Life.Birth < known.Birth {
			first[version] = a.Life
		}
		at := slices.IndexFunc(all, func(v verdict.Version) bool { return v.Version == version })
		if at < 0 {
			at = len(all)
			all = append(all, verdict.Version{Version: version, Metric: string(b.Promise.Metric), Route: b.Promise.Route})
		}
		v, k := &all[at], a.Book()
		v.Instances = append(v.Instances, a.Life.Instance)
		v.Acked += int64(len(a.Acked))
		v.Counted += a.Total
		v.Lost += k.Lost
		v.Extra += k.Extra
		open := a.unexplained(len(b.Accounts))
		v.Unexplained += max(open, -open)
	}
	if len(all) < 2 {
		return nil
	}
	for i := range all {
		slices.SortFunc(all[i].Instances, record.CompareNames)
	}
	slices.SortStableFunc(all, func(a, b verdict.Version) int {
		return evidence.CompareTimes(first[a.Version].Birth, first[b.Version].Birth)
	})
	return all
}
