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

// neverScraped is how many inserts the instance acknowledged beyond those that its exposed counter came to.
func neverScraped(h record.History, instance string) int64 {
	return uncountedBy(h, instance, exposedInsert, collector.ByScrape)
}

func scrapedEntries() []Entry {
	const newcomer = `promql: {expr: 'sum(increase(fullstack_starts_total{way="scrape"}[5s])) > 0', within: after}`
	unseen := scraped("", "kill: web-2", "launch: 1")
	unseen.Checks = []string{newcomer}
	return []Entry{
		{Name: "registry-per-worker", About: "three workers have a registry each, and any of them answers a scrape", Stage: scraped("registry-per-worker"),
			Want: wantCheck("conservation", "registry-per-worker")},
		{Name: "own-instance-label", About: "the exposition has a label instance of its own, which says localhost", Stage: scraped("own-instance-label"),
			Want: wantCheck("identity", "foreign-tags")},
		{Name: "slow-exposition", About: "a scrape takes longer than it may, always", Stage: scraped("slow-exposition"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"scrapes-failed"}, Amount: neverScraped}},
		{Name: "exposed-not-counted", Fault: "F26", About: "a path through the code misses the counter, which is scraped", Stage: scraped("not-counted"),
			Want: Want{Outcome: verdict.Fail, Check: "conservation", Instances: allThree, Causes: []string{"not-counted"}, Amount: neverScraped}},
		{Name: "first-value-unseen", About: "an expression waits for the increase of a counter that newcomers begin with 1", Stage: unseen,
			Want: Want{Outcome: verdict.Fail, Check: "promql", Causes: []string{"first-value-unseen"}}},
	}
}
