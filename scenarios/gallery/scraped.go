package gallery

import (
	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// exposedInsert is the counter of inserts as the reference app shows it to a Prometheus.
const exposedInsert = "fullstack_insert_total"

// scraped has instances scraped, and asks after that alone.
func scraped(defect string, steps ...string) Stage {
	return Stage{Defect: defect, Scrape: true, Steps: steps, Before: 6, After: 9}
}

// honored has instances scraped, and the labels that they expose win.
func honored(defect string, steps ...string) Stage {
	s := scraped(defect, steps...)
	s.Honor = true
	return s
}

// asking has a stage ask for one check more.
func asking(s Stage, check string) Stage {
	s.Checks = append(s.Checks, check)
	return s
}

// firstSeen is what an instance's counter of a name had come to when it was scraped first.
func firstSeen(name string) func(record.History, string) int64 {
	return func(h record.History, instance string) (n int64) {
		for _, s := range h.Series {
			if s.Name == name && s.Meta.CameBy() == collector.ByScrape && s.Labels.Get("instance") == instance && len(s.Points) > 0 {
				n += int64(s.Points[0].Value)
			}
		}
		return n
	}
}

// neverScraped is how many inserts the instance acknowledged beyond those that its exposed counter came to.
func neverScraped(h record.History, instance string) int64 {
	return uncountedBy(h, instance, exposedInsert, collector.ByScrape)
}

func scrapedEntries() []Entry {
	const newcomer = `promql: {expr: 'sum(increase(fullstack_starts_total{way="scrape"}[4s])) > 0', within: after}`
	const launched = `alert: {name: Launched, expr: 'sum(increase(fullstack_starts_total{way="scrape", instance="web-4"}[4s])) > 0', fires: {in: after, within: 6s}}`
	const all = `promql: {expr: 'sum(max_over_time(fullstack_insert_total{way="scrape"}[1m]) - min_over_time(fullstack_insert_total{way="scrape"}[1m])) == sum(max_over_time(fullstack_insert_total{way="scrape"}[1m]))', throughout: after}`
	unseen := func(check string) Stage { return asking(scraped("", "kill: web-2", "launch: 1"), check) }
	return []Entry{
		{Name: "registry-per-worker", About: "three workers have a registry each, and any of them answers a scrape", Stage: scraped("registry-per-worker"),
			Want: wantCheck("conservation", "registry-per-worker")},
		{Name: "own-instance-label", About: "the exposition has a label instance of its own, which says localhost", Stage: scraped("own-instance-label"),
			Want: wantCheck("identity", "foreign-tags")},
		{Name: "honored-labels", About: "the same, and whoever scrapes has it win over its own label (honor_labels): three instances share a series", Stage: honored("own-instance-label"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"labels-honored"}, Amount: neverScraped}},
		{Name: "slow-exposition", About: "a scrape takes longer than it may, always", Stage: scraped("slow-exposition"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"scrapes-failed"}, Amount: neverScraped}},
		{Name: "exposed-not-counted", Fault: "F26", About: "a path through the code misses the counter, which is scraped", Stage: scraped("not-counted"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"not-counted"}, Amount: neverScraped}},
		{Name: "first-value-unseen", About: "an expression waits for the increase of a counter that newcomers begin with 1", Stage: unseen(newcomer),
			Want: Want{Outcome: verdict.Fail, Check: "promql", Instances: []string{"web-4"}, Causes: []string{"first-value-unseen"}, Amount: firstSeen("fullstack_starts_total")}},
		{Name: "first-increments-unseen", About: "what grew in the sight of a Prometheus is held against what was counted: the counters begin with their first increments", Stage: unseen(all),
			Want: Want{Outcome: verdict.Fail, Check: "promql", Instances: []string{"web-1", "web-2", "web-3", "web-4"}, Causes: []string{"first-value-unseen"}, Amount: firstSeen(exposedInsert)}},
		{Name: "first-value-unalerted", About: "an alert waits for the increase of a counter that newcomers begin with 1, and never fires", Stage: unseen(launched),
			Want: Want{Outcome: verdict.Fail, Check: "alert", Instances: []string{"web-4"}, Causes: []string{"first-value-unseen"}, Amount: firstSeen("fullstack_starts_total")}},
	}
}
