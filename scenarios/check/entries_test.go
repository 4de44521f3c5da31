package check

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// entriesOf gives the list of ledgers by short names, as "web fullstack.insert web-1", in
// its order, and their counts.
func entriesOf(v verdict.Verdict) (keys []string, by map[string]map[string]int64) {
	by = map[string]map[string]int64{}
	for _, l := range v.LedgerEntries {
		key := l.Layer
		for _, part := range []string{l.Route, l.Metric, l.Instance} {
			if part != "" {
				key += " " + part
			}
		}
		keys, by[key] = append(keys, key), l.Counts
	}
	return keys, by
}

// The list has what Ledgers has, tier by tier.
func TestLedgersAreAList(t *testing.T) {
	p := talk()
	p.checks = allChecks
	keys, got := entriesOf(judged(t, p.make()))
	want := []string{
		"users", "users insert", "users insert web-1", "users insert web-2", "users insert web-3", "users insert web-4",
		"lb", "lb web-1", "lb web-2", "lb web-3", "lb web-4",
		"web fullstack.insert", "web fullstack.insert web-1", "web fullstack.insert web-2", "web fullstack.insert web-3", "web fullstack.insert web-4",
		"db"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for key, want := range map[string]map[string]int64{
		"users":        {"requests": 4942, "attempts": 4942, "acked": 4942, "refused": 0, "unknown": 0, "no_answer": 0},
		"users insert": {"acked": 4421, "unknown": 0},
		"lb": {"requests": 4942, "answered_1xx": 0, "answered_2xx": 4942, "answered_3xx": 0, "answered_4xx": 0, "answered_5xx": 0, "answered_other": 0,
			"errors": 0, "retries": 0, "redispatches": 0},
		"web fullstack.insert": {"counted": 4419},
		"db":                   {"documents": 50, "increments": 4421, "updates": 4421},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	for layer, count := range map[string]string{"users insert": "acked", "lb": "answered_2xx", "web fullstack.insert": "counted"} {
		var sum int64
		for _, instance := range []string{"web-1", "web-2", "web-3", "web-4"} {
			sum += got[layer+" "+instance][count]
		}
		if sum != got[layer][count] {
			t.Errorf("%s: instances have %d %s together, and all %d", layer, sum, count, got[layer][count])
		}
	}
}

// What nobody knows is not in the list, and no 0 stands for it.
func TestLedgersOfWhatIsNotKnown(t *testing.T) {
	p := talk()
	p.checks = "  - failures: {at_most: 0}\n"
	p.database = "none"
	h := p.make()
	drop(&h, func(s record.Series) bool { return record.AllTiers().Of(record.LayerLB).Holds(s.Name) })
	if keys, _ := entriesOf(judged(t, h)); !cmp.Equal(keys, []string{"users"}) {
		t.Errorf("ledgers %q", keys)
	}
	unreadable := judged(t, record.History{Scenario: []byte("what"), Damage: []string{"scenario.yaml: it is missing"}})
	if unreadable.Version != verdict.Format || unreadable.LedgerEntries == nil || unreadable.Phases == nil {
		t.Errorf("of a scenario that cannot be read: %+v", unreadable)
	}
}

// Each metric and route that is checked has a ledger, each once, and so has each member
// of a database.
func TestLedgersAreOpen(t *testing.T) {
	p := talk()
	p.checks = "  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}\n" +
		"  - conservation: {metric: fullstack.insert, route: insert, client_window: 200ms}\n" +
		"  - conservation: {metric: fullstack.get, route: get, client_window: 100ms}\n"
	h := p.make()
	for i := range h.Series {
		if s := &h.Series[i]; s.Name == record.Opcounters {
			second := *s
			s.Labels, second.Labels = collector.NewLabels("type", "update", "instance", "mongo-1"), collector.NewLabels("type", "update", "instance", "mongo-2")
			second.Points = second.Points[:1]
			second.Points[0].Value = 0
			h.Series = append(h.Series, second)
			break
		}
	}
	v := judged(t, h)
	_, got := entriesOf(v)
	for key, want := range map[string]map[string]int64{
		"users insert": {"acked": 4421, "unknown": 0}, "users get": {"acked": 521, "unknown": 0},
		"web fullstack.insert": {"counted": 4419}, "web fullstack.get": {"counted": 0},
		"db mongo-1": {"updates": 4421}, "db mongo-2": {"updates": 0}, "db": {"documents": 50, "increments": 4421, "updates": 4421},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if len(got) != len(v.LedgerEntries) {
		t.Errorf("%d entries, %d of them different", len(v.LedgerEntries), len(got))
	}
	if v.Ledgers.Web.Metric != "fullstack.insert" || v.Ledgers.Users.Route != "insert" {
		t.Errorf("the first metric and route are %+v", v.Ledgers)
	}
}

// What a member that was killed counted after the last look at it, one that was there all along knows: it did that after it. Where
// none was, it is said that nobody does.
func TestUpdatesOfAKilledMember(t *testing.T) {
	for name, c := range map[string]struct {
		first   time.Duration // of the other member's counters
		repl    float64       // what the other one did after mongo-1, more than mongo-1 was seen to do
		updates map[string]int64
		said    string
	}{
		"known": {0, 34, map[string]int64{"db": 2000 + 34, "db mongo-1": 1900 + 34, "db mongo-2": 100},
			"the members' own counters have 2,000 updates, and 34 more were carried out after the last look at mongo-1 at 12.0 s, as mongo-2 knows, which did them too"},
		"nobody was there all along": {5 * time.Second, 34, map[string]int64{"db": 2000, "db mongo-1": 1900, "db mongo-2": 100},
			"the members' own counters have 2,000 updates; what came after the last look at mongo-1 at 12.0 s they do not have, and no other member was there all along to tell"},
		"who should know has seen less": {0, -1, map[string]int64{"db": 2000, "db mongo-1": 1900, "db mongo-2": 100}, "they do not have"},
	} {
		h := talk().make()
		drop(&h, func(s record.Series) bool { return s.Name == record.Opcounters })
		counter := func(name, member string, from, to time.Duration, last float64) {
			s := record.Series{Name: name, Labels: collector.NewLabels("type", "update", "instance", member), Meta: collector.Meta{Type: collector.Counter}}
			for at := from; at <= to; at += time.Second {
				s.Points = append(s.Points, record.Point{At: at, Value: last * float64(max(0, at-3*time.Second)) / float64(to-3*time.Second), Observed: 1})
			}
			h.Series = append(h.Series, s)
		}
		end := h.Events[len(h.Events)-1].At.Truncate(time.Second)
		counter(record.Opcounters, "mongo-1", 0, 12*time.Second, 1900)
		counter(record.Opcounters, "mongo-2", c.first, end, 100)
		counter(record.OpcountersRepl, "mongo-2", c.first, end, 1900+c.repl)
		v := judged(t, h)
		_, got := entriesOf(v)
		for key, want := range c.updates {
			if got[key]["updates"] != want {
				t.Errorf("%s: %s has %d updates, want %d", name, key, got[key]["updates"], want)
			}
		}
		if said := strings.Join(said(v, "conservation", verdict.Pass), "\n"); !strings.Contains(said, c.said) {
			t.Errorf("%s: %q is not in\n%s", name, c.said, said)
		}
	}
}

// A verdict tells of its run what the record does, and nothing of where and when it was
// given.
func TestAVerdictTellsItsRun(t *testing.T) {
	h := talk().make()
	h.Run.Platform, h.Run.Versions = "docker", map[string]string{"throughline": "v1"}
	h.Run.Start = time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("there", 3600))
	v := judged(t, h)
	if v.Version != 1 || v.ToolVersion != "" || v.Platform != "docker" || v.Versions["throughline"] != "v1" || v.Start.Format(time.RFC3339Nano) != "2026-01-02T02:04:05.000000006Z" {
		t.Errorf("%d %q %q %v %v", v.Version, v.ToolVersion, v.Platform, v.Versions, v.Start)
	}
	want := []verdict.Phase{{Name: "warm-up", From: 2.5, To: 10.5}, {Name: "one dies", From: 10.5, To: 18.5}, {Name: "one is replaced", From: 18.5, To: 26.5}}
	if diff := cmp.Diff(want, v.Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	h.Run.Start = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("nowhere", -7200))
	if _, err := judged(t, h).Start.MarshalJSON(); err != nil {
		t.Errorf("a start at the end of time: %v", err)
	}
}

// A phase without an end lasts until the next begins, or the record ends.
func TestPhases(t *testing.T) {
	at := func(seconds int, kind record.Kind, phase string) record.Event {
		return record.Event{At: time.Duration(seconds) * time.Second, Kind: kind, Phase: phase}
	}
	for name, c := range map[string]struct {
		events []record.Event
		want   []verdict.Phase
	}{
		"none":                {nil, []verdict.Phase{}},
		"an end alone":        {[]record.Event{at(1, record.PhaseEnd, "a")}, []verdict.Phase{}},
		"of one name":         {[]record.Event{at(1, record.PhaseBegin, "a"), at(2, record.PhaseEnd, "a"), at(3, record.PhaseBegin, "a"), at(4, record.PhaseEnd, "a")}, []verdict.Phase{{Name: "a", From: 1, To: 2}, {Name: "a", From: 3, To: 4}}},
		"the runner was gone": {[]record.Event{at(1, record.PhaseBegin, "a"), at(2, record.PhaseEnd, "a"), at(2, record.PhaseBegin, "b"), at(5, record.Death, "")}, []verdict.Phase{{Name: "a", From: 1, To: 2}, {Name: "b", From: 2, To: 5}}},
		"an end is missing":   {[]record.Event{at(1, record.PhaseBegin, "a"), at(3, record.PhaseBegin, "b"), at(4, record.PhaseEnd, "b")}, []verdict.Phase{{Name: "a", From: 1, To: 3}, {Name: "b", From: 3, To: 4}}},
	} {
		if diff := cmp.Diff(c.want, phases(c.events)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
