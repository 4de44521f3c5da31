package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const scrapedThere = `scenario: scraped-there
stack:
  mongo: none
  web: {instances: 1, command: [./words], metrics: {scrape: /metrics}, routes: {insert: POST /}}
metrics_from: {url: "http://prom:9090", every: 1s}
load: {rate: 10/s, mix: {insert: 1}}
phases:
  - {phase: steady, for: 20s}
checks:
  - {conservation: {metric: words_total, route: insert}}
  - {continuity: {metric: words_total, route: insert}}
`

// scrapedBy is a run of 20 s in which web-1, from 0 s to 23 s or to its death, acknowledges 10 requests a second and counts them, less what loses
// says, and a server asks it at these seconds.
func scrapedBy(t *testing.T, death time.Duration, asked []int, loses func(second int) int) *evidence.Index {
	t.Helper()
	s, err := script.Parse("demo.yaml", []byte(scrapedThere), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := record.History{Run: record.Run{ID: "run", Interval: time.Second}}
	event := func(at time.Duration, kind record.Kind, instance string, change func(*record.Event)) {
		e := record.Event{At: at, Kind: kind, Instance: instance}
		if instance != "" {
			e.Role = record.Web
		}
		if change != nil {
			change(&e)
		}
		h.Events = append(h.Events, e)
	}
	event(time.Millisecond, record.Birth, "web-1", nil)
	event(time.Millisecond, record.Ready, "web-1", nil)
	event(time.Millisecond, record.Serving, "web-1", nil)
	event(2*time.Millisecond, record.LoadBegin, "", nil)
	end := 20 * time.Second
	if death > 0 {
		event(death, record.Signalled, "web-1", func(e *record.Event) { e.Signal = "SIGKILL" })
		event(death+time.Millisecond, record.Death, "web-1", func(e *record.Event) { e.Code, e.Signal, e.Expected = -1, "SIGKILL", true })
		end = death
	}
	for i := range int(end / (100 * time.Millisecond)) {
		at := time.Duration(i)*100*time.Millisecond + 10*time.Millisecond
		h.Requests = append(h.Requests, record.Request{Seq: uint64(i), Due: at, Sent: at, Done: at + 5*time.Millisecond, Route: "insert", Instance: "web-1", Outcome: record.Acked, Status: 200, Attempts: 1})
	}
	event(20*time.Second, record.LoadEnd, "", nil)
	event(23*time.Second, record.Quiesced, "", nil)
	event(24*time.Second, record.RunEnd, "", nil)

	whose := collector.NewLabels("instance", "web-1")
	words := record.Series{Name: "words_total", Labels: whose.With("way", "scrape"), Meta: collector.Meta{Type: collector.Counter, Sent: "words_total", Way: collector.ByScrape}}
	success, took := record.Series{Name: record.ScrapeSuccess, Labels: whose}, record.Series{Name: record.ScrapeDuration, Labels: whose}
	late, flush := record.Series{Name: record.ScrapeLateness, Labels: whose}, record.Series{Name: record.FlushLateness}
	last := 0
	lag := func(at, by time.Duration) {
		late.Points = append(late.Points, record.Point{At: at, Value: by.Seconds(), Observed: 1})
	}
	for i, second := range asked {
		at := time.Duration(second) * time.Second
		n := 0
		for k := range min(second, int(end/time.Second)) {
			n += 10 - loses(k)
		}
		words.Points = append(words.Points, record.Point{At: at, Value: float64(n), Observed: 1})
		success.Points = append(success.Points, record.Point{At: at, Value: 1, Observed: 1})
		took.Points = append(took.Points, record.Point{At: at, Value: 0.005, Observed: 1})
		if i > 0 {
			lag(at, time.Duration(second-last-1)*time.Second)
		}
		last = second
	}
	until := 23 * time.Second
	if death > 0 {
		until = death
	}
	if by := until - time.Duration(last+1)*time.Second; by > 0 {
		lag(until, by)
	}
	for second := range 23 {
		flush.Points = append(flush.Points, record.Point{At: time.Duration(second+1) * time.Second, Observed: 1})
	}
	h.Series = []record.Series{words, success, took, late, flush}
	return evidence.New(h, s)
}

func seconds(from, to int) (all []int) {
	for s := from; s <= to; s++ {
		all = append(all, s)
	}
	return all
}

func nothing(int) int { return 0 }

// What a server did not fetch is no fault of the instance's; what the instance did not count is.
func TestMetricsFromAServer(t *testing.T) {
	const pass, doubt, fail = verdict.Pass, verdict.Inconclusive, verdict.Fail
	for name, x := range map[string]struct {
		death                             time.Duration
		asked                             []int
		loses                             func(int) int
		harness, conservation, continuity verdict.Outcome
		says                              string
	}{
		"all is well":                {0, seconds(1, 23), nothing, pass, pass, pass, ""},
		"it was found late":          {0, seconds(9, 23), nothing, pass, pass, pass, ""},
		"it was found after minutes": {0, nil, nothing, doubt, doubt, doubt, "never scraped web-1, from birth at 0.0 s to 23.0 s"},
		"it was away":                {0, append(seconds(1, 6), seconds(13, 23)...), nothing, doubt, doubt, doubt, "did not scrape web-1 from 6.0 s to 13.0 s"},
		"it was away for long":       {0, append(seconds(1, 4), seconds(18, 23)...), nothing, doubt, doubt, doubt, "did not scrape web-1 from 4.0 s to 18.0 s"},
		"it was away in the end":     {0, seconds(1, 12), nothing, doubt, doubt, doubt, "did not scrape web-1 from 12.0 s to 23.0 s"},
		"away when it was killed":    {15 * time.Second, seconds(1, 8), nothing, doubt, doubt, doubt, "did not scrape web-1 from 8.0 s to 15.0 s"},
		"killed":                     {15 * time.Second, seconds(1, 14), nothing, pass, pass, pass, ""},
		"not counted":                {0, seconds(1, 23), func(k int) int { return 2 }, pass, fail, pass, ""},
		"not counted, and away":      {0, append(seconds(1, 6), seconds(13, 23)...), func(k int) int { return 2 }, doubt, fail, doubt, "from 6.0 s to 13.0 s"},
	} {
		t.Run(name, func(t *testing.T) {
			e := scrapedBy(t, x.death, x.asked, x.loses)
			worst := func(of []verdict.Finding) (o verdict.Outcome, text string) {
				o = verdict.Pass
				for _, f := range of {
					text += f.Summary + "\n"
					if f.Outcome == verdict.Fail || f.Outcome == verdict.Inconclusive && o == verdict.Pass {
						o = f.Outcome
					}
				}
				return o, text
			}
			got, text := worst(honesty.Harness(e))
			if got != x.harness || !strings.Contains(text, x.says) {
				t.Errorf("harness: %v, want %v and %q in\n%s", got, x.harness, x.says, text)
			}
			if got, text := worst((tiers.Conservation{Promise: script.Promised[script.Conservation](e.Scenario)[0]}).Judge(e).Findings); got != x.conservation {
				t.Errorf("conservation: %v, want %v in\n%s", got, x.conservation, text)
			}
			p := script.Promised[script.Continuity](e.Scenario)[0]
			if got, text := worst((signals.Continuity{Promise: p, Window: e.Scenario.HeldFor("web", p.Metric), Rate: 1}).Judge(e).Findings); got != x.continuity {
				t.Errorf("continuity: %v, want %v in\n%s", got, x.continuity, text)
			}
		})
	}
}

// A scrape that takes long brings what there was when it was asked for, and what was acknowledged since is not late.
func TestASlowScrapeIsNotLate(t *testing.T) {
	for name, c := range map[string]struct {
		took float64
		want verdict.Outcome
	}{"slow": {3.4, verdict.Pass}, "quick, and behind": {0.1, verdict.Fail}} {
		t.Run(name, func(t *testing.T) {
			e := scrapedBy(t, 0, seconds(1, 23), nothing)
			h := e.History
			for i := range h.Series {
				s := &h.Series[i]
				if s.Name == record.FlushLateness || s.Name == record.ScrapeLateness {
					continue
				}
				s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At > 7*time.Second && p.At < 11*time.Second })
				for k := range s.Points {
					switch p := &s.Points[k]; {
					case p.At != 11*time.Second:
					case s.Name == record.ScrapeDuration:
						p.Value = c.took
					case s.Name == "words_total":
						p.Value = 76
					}
				}
			}
			e = evidence.New(h, e.Scenario)
			for _, f := range (tiers.Conservation{Promise: script.Promised[script.Conservation](e.Scenario)[0]}).Judge(e).Findings {
				if f.Outcome != verdict.Pass && c.want == verdict.Pass || f.Outcome == verdict.Fail && f.Cause != "late" {
					t.Errorf("%v %s: %s", f.Outcome, f.Cause, f.Summary)
				} else if f.Outcome == verdict.Fail {
					return
				}
			}
			if c.want == verdict.Fail {
				t.Error("nothing is late")
			}
		})
	}
}

// An instance that a server asked hardly ever, and never well, is accused of nothing; one that it asked as often as it does, and never well, is.
func TestScrapesThatFailedOfAServerThatHardlyAsked(t *testing.T) {
	for name, c := range map[string]struct {
		asked []int
		want  verdict.Outcome
	}{"hardly": {[]int{4, 9}, verdict.Inconclusive}, "always": {seconds(1, 23), verdict.Fail}} {
		t.Run(name, func(t *testing.T) {
			h := scrapedBy(t, 0, c.asked, nothing).History
			for i := range h.Series[1].Points {
				h.Series[1].Points[i].Value = 0
			}
			h.Series = h.Series[1:] // nothing was brought
			e := evidence.New(h, scrapedBy(t, 0, nil, nothing).Scenario)
			found := (tiers.Conservation{Promise: script.Promised[script.Conservation](e.Scenario)[0]}).Judge(e).Findings
			found = append(found, (signals.Identity{Promise: script.Identity{Metric: "words_total", Route: "insert"}, Window: 2 * time.Second, Rate: 1}).Judge(e).Findings...)
			looked := 0
			for _, f := range found {
				if f.Instance == "web-1" {
					if looked++; f.Outcome != c.want {
						t.Errorf("%v, want %v: %s: %s", f.Outcome, c.want, f.Check, f.Summary)
					}
				}
			}
			if looked != 2 {
				t.Errorf("%d findings on web-1, want 2: %+v", looked, found)
			}
		})
	}
}
