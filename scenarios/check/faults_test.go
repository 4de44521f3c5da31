package check

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// faulty is the talk with a fault from 9 s to 12 s in place of its steps.
func faulty(step, fault string) record.History {
	p := talk()
	p.phases = []act{{"warm-up", nil, 5 * time.Second}, {"faulty", nil, 10 * time.Second}}
	h := p.make()
	h.Scenario = []byte(strings.Replace(string(h.Scenario), "phase: faulty\n", "phase: faulty\n    do: {"+step+"}\n", 1))
	if strings.Contains(fault, "httpd") {
		h.Scenario = []byte(strings.Replace(string(h.Scenario), "stack:\n", "stack:\n  httpd: yes\n", 1))
	}
	name := mustParse(h).Phases[1].Do[0].String()
	at := 0
	for i, e := range h.Events {
		if e.At <= 9*time.Second {
			at = i + 1
		}
	}
	events := []record.Event{
		{At: 9 * time.Second, Kind: record.StepBegin, Phase: "faulty", Step: name},
		{At: 9001 * time.Millisecond, Kind: record.FaultBegin, Fault: fault},
		{At: 9100 * time.Millisecond, Kind: record.StepEnd, Phase: "faulty", Step: name},
	}
	end := record.Event{At: 12 * time.Second, Kind: record.FaultEnd, Fault: fault, Count: 7, About: "web-2 7"}
	rest := append([]record.Event{}, h.Events[at:]...)
	h.Events = append(h.Events[:at:at], events...)
	for i, e := range rest {
		if e.At > end.At {
			rest = append(rest[:i:i], append([]record.Event{end}, rest[i:]...)...)
			break
		}
	}
	h.Events = append(h.Events, rest...)
	return h
}

func TestFaultsTouchSomething(t *testing.T) {
	const step, fault = "fault: drop-datagrams", "drop-datagrams"
	h := faulty(step, fault)
	says(t, judged(t, h), "efficacy", verdict.Pass, "1 step took effect: fault drop-datagrams (from 9.0 s to 12.0 s, touched 7 (web-2 7))")
	for want, change := range map[string]func(*record.Event){
		"it touched nothing from 9.0 s to 12.0 s":                          func(e *record.Event) { e.Count = 0 },
		"cannot be undone":                                                 func(e *record.Event) { e.Error = "cannot be undone" },
		"it began at 9.0 s, and the journal does not tell what it touched": func(e *record.Event) { e.Fault = "freeze" },
	} {
		h := faulty(step, fault)
		for i := range h.Events {
			if h.Events[i].Kind == record.FaultEnd {
				change(&h.Events[i])
			}
		}
		v := judged(t, h)
		if got := said(v, "efficacy", verdict.Inconclusive); len(got) != 1 || got[0] != "the fault did not take effect: fault drop-datagrams: "+want {
			t.Errorf("got %q, want %q", got, want)
		}
		if v.Outcome == verdict.Pass {
			t.Errorf("%s: the run passes", want)
		}
	}
	h = faulty(step, fault)
	for i := range h.Events {
		if h.Events[i].Kind == record.FaultBegin {
			h.Events[i].Kind = record.Quiesced
		}
	}
	if got := said(judged(t, h), "efficacy", verdict.Inconclusive); len(got) != 1 || !strings.HasSuffix(got[0], "the journal does not tell that it began") {
		t.Errorf("got %q", got)
	}
}

// retryAll lets the load balancer of a run repeat whatever failed.
func retryAll(h *record.History) {
	h.Scenario = []byte(strings.Replace(string(h.Scenario), "stack:\n", "stack:\n  lb: {retry: all}\n", 1))
}

// A reload that the journal tells of is stitched; one that it does not tell of
// is a reset, and so is one that came at another time.
func TestReloadOfTheLoadBalancer(t *testing.T) {
	h := faulty("fault: reload-lb", "reload-lb")
	reload(&h)
	if v := judged(t, h); v.Outcome != verdict.Pass {
		t.Errorf("a journalled reload: %v %q", v.Outcome, said(v, "conservation", verdict.Fail))
	}
	for name, change := range map[string]func(*record.Event){
		"unknown":  func(e *record.Event) { e.Fault = "leftover-load" },
		"too late": func(e *record.Event) { e.At += 4 * time.Second },
	} {
		h := faulty("fault: reload-lb", "reload-lb")
		reload(&h)
		for i := range h.Events {
			if k := h.Events[i].Kind; k == record.FaultBegin || k == record.FaultEnd {
				change(&h.Events[i])
			}
		}
		v := judged(t, h)
		if got := said(v, "conservation", verdict.Fail); len(got) != 1 || !strings.HasPrefix(got[0], "HAProxy's counters fall at ") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// frozenPlan is the talk with web-2 frozen from a moment on, and then thawed, or
// killed before.
func frozenPlan(seed uint64, window, at, long time.Duration, kill bool) plan {
	p := talk()
	p.seed, p.window = seed, window
	p.checks = strings.Replace(continuityCheck, "2s", max(2*time.Second, 2*window).String(), 1) +
		"  - conservation: {metric: fullstack.insert, route: insert, client_window: " + window.String() + "}\n"
	last := act{"thawed", []string{"heal freeze"}, 6 * time.Second}
	if kill {
		last.steps = []string{"kill web-2", "heal freeze"}
		p = promising(p)
	}
	p.phases = []act{{"warm-up", nil, at - worldBegin}, {"frozen", []string{"fault freeze, on: web-2"}, long}, last}
	return p
}

// TestWhoStandsStillCannotSend freezes an instance at any moment. What its client
// held then comes when it is thawed, and is no gap; or it is lost with a SIGKILL,
// and was in the send buffer. What else is lost or silent is a failure as ever.
func TestWhoStandsStillCannotSend(t *testing.T) {
	unhurried(t)
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 19))
		window := []time.Duration{100, 300, 1000}[rnd.IntN(3)] * time.Millisecond
		at := 10*time.Second + time.Duration(rnd.Int64N(int64(2*time.Second)))
		long := time.Duration(1000+rnd.IntN(4000)) * time.Millisecond
		kill := rnd.IntN(2) == 0
		p := frozenPlan(seed, window, at, long, kill)
		for _, f := range judged(t, p.make()).Findings {
			if f.Outcome == verdict.Fail {
				t.Fatalf("seed %d: frozen at %v for %v, killed %v: %s: %s", seed, at, long, kill, f.Check, f.Summary)
			}
		}
		h := p.make()
		shift(h, "fullstack_insert_total", "web-2", at-3*time.Second, -150)
		if got := said(judged(t, h), "conservation", verdict.Fail); len(got) == 0 {
			t.Fatalf("seed %d: 150 are lost before the freeze, and nothing fails", seed)
		}
		if !kill {
			h := p.make()
			silence(h, "web-2", at+long-time.Second, at+long+5*time.Second)
			if got := said(judged(t, h), "continuity", verdict.Fail); len(got) == 0 {
				t.Fatalf("seed %d: it is silent after the freeze, and nothing fails", seed)
			}
		}
	}
}

// A load balancer that is killed counts from zero as one that is reloaded, and may have logged nothing of what was on it then:
// of that alone.
func TestKilledLoadBalancer(t *testing.T) {
	for name, c := range map[string]struct {
		fault, step string
		at          time.Duration // of a request that has no line
		lost        bool
	}{
		"killed":           {"kill-lb", "fault: kill-lb", 9500 * time.Millisecond, false},
		"killed, later on": {"kill-lb", "fault: kill-lb", 13 * time.Second, true},
		"reloaded":         {"reload-lb", "fault: reload-lb", 9500 * time.Millisecond, true},
	} {
		h := faulty(c.step, c.fault)
		reload(&h)
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Sent > c.at && r.Outcome == record.Acked {
				h.Executions = slices.DeleteFunc(slices.Clone(h.Executions), func(x record.Execution) bool { return !x.Foreign && x.Seq == r.Seq })
				break
			}
		}
		v := judged(t, h)
		if got := said(v, "conservation", verdict.Fail); len(got) > 0 {
			t.Errorf("%s: its counters: %q", name, got)
		}
		lost := said(v, "requests", verdict.Fail)
		if (len(lost) == 1 && strings.Contains(lost[0], "the load balancer saw no instance answer")) != c.lost {
			t.Errorf("%s: %q", name, lost)
		}
		if told := strings.Join(said(v, "requests", verdict.Pass), ""); strings.Contains(told, "; 1 on the load balancer when it was killed, which logged nothing of them") == c.lost {
			t.Errorf("%s: %q", name, told)
		}
	}
}

// A disk that was full, and of which nobody heard, proves nothing.
func TestFullDiskIsHeardOf(t *testing.T) {
	for name, c := range map[string]struct {
		status uint16
		at     time.Duration
		heard  bool
	}{
		"nobody":             {200, 10 * time.Second, false},
		"somebody":           {500, 10 * time.Second, true},
		"somebody, too late": {500, 14 * time.Second, false},
		"by another answer":  {404, 10 * time.Second, false},
	} {
		h := faulty("fault: fill-disk", "fill-disk")
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Sent > c.at {
				if r.Status = c.status; c.status != 200 {
					r.Outcome = record.Unknown
				}
				break
			}
		}
		got := said(judged(t, h), "efficacy", verdict.Inconclusive)
		if c.heard != (len(got) == 0) || !c.heard && !strings.HasSuffix(got[0], "no request was answered with 5xx while it was in force") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
