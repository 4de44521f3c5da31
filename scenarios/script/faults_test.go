package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

// doing is the change of the smallest scenario that does something in its only phase.
func doing(name, steps string, want ...string) refused {
	const phase = "  - phase: warm-up\n    for: 8s\n"
	return refused{name, phase, phase + "    do: " + steps + "\n", want}
}

var refusedFaults = []refused{
	doing("misspelled", "{fault: drop-datagram}", `8:17: do.fault: unknown "drop-datagram": did you mean "drop-datagrams"? (known: `+script.KnownFaults+`)`),
	doing("on nobody", "{fault: freeze, on: web-7}", `8:17: fault freeze on web-7: no such instance at that point (have web-1, web-2, web-3)`),
	doing("on one that is gone", "[{kill: web-2}, {fault: freeze, on: web-2}]", `8:33: fault freeze on web-2: no such instance at that point (have web-1, web-3)`),
	doing("on nobody at all", "[{kill: web-1}, {kill: web-2}, {kill: web-3}, {fault: freeze}]", `8:63: fault freeze: no instance is alive at that point`),
	doing("on what has no instance", "{fault: reload-lb, on: web-2}", `8:32: do.on: does not fit reload-lb, which takes nothing more`),
	doing("parameter of another fault", "{fault: freeze, share: 0.5}", `8:32: do.share: does not fit freeze, which takes on`),
	doing("share of more than all", "{fault: drop-datagrams, share: 1.5}", `8:40: do.share: want a number above 0 and at most 1, got 1.5`),
	doing("no bytes", "{fault: truncate-datagrams, bytes: 0}", `8:44: do.bytes: want a whole number from 1 to 65507, got 0`),
	doing("delay without unit", "{fault: delay-datagrams, by: 3}", `8:38: do.by: 3 has no unit: want a duration like 8s (units: h, m, s, ms)`),
	doing("killed for no time", "{fault: kill-collector, for: 0s}", `8:38: do.for: 0s is out of range: want 1ms to 24h`),
	doing("down without time", "{fault: restart-collector, for: 0s}", `8:41: do.for: 0s is out of range: want 1ms to 24h`),
	doing("rate without unit", "{fault: leftover-load, rate: 20}", `8:38: do.rate: 20 has no unit: want requests per second, like 200/s`),
	doing("network of no hop", "{fault: cut-network}", `8:9: do: the key "hop" is missing`),
	doing("network of another hop", "{fault: cut-network, hop: lb-db}", `8:35: do.hop: unknown "lb-db": did you mean "lb-web"? (known: users-lb, lb-web, web-db)`),
	doing("network of one user", "{fault: slow-network, hop: users-lb, on: web-1}", `8:50: do.on: does not fit the hop users-lb, which all instances share: remove it, or take lb-web`),
	doing("network to nobody", "{fault: slow-network, hop: lb-web, on: web-7}", `8:17: fault slow-network lb-web on web-7: no such instance at that point (have web-1, web-2, web-3)`),
	doing("bandwidth without time", "{fault: throttle-network, hop: lb-web, bandwidth: 100KB}", `8:59: do.bandwidth: "100KB" is not a bandwidth: want bytes per second, like 100KB/s (units: B/s, KB/s, MB/s)`),
	doing("bandwidth of nothing", "{fault: throttle-network, hop: lb-web, bandwidth: 1B/s}", `8:59: do.bandwidth: 1B/s is out of range: want 100B/s to 1000MB/s`),
	doing("bandwidth without unit", "{fault: throttle-network, hop: lb-web, bandwidth: 100}", `8:59: do.bandwidth: 100 has no unit: want bytes per second, like 100KB/s (units: B/s, KB/s, MB/s)`),
	doing("rate of a network", "{fault: throttle-network, hop: lb-web, rate: 100/s}", `8:54: do.rate: does not fit throttle-network, which takes hop, bandwidth, on`),
	doing("heal of who was killed", "[{fault: kill-lb}, {heal: kill-lb}]", `8:35: heal kill-lb: there is nothing to heal, it is over when its step is`),
	doing("no httpd", "{fault: reload-httpd}", `8:17: fault reload-httpd: there is no httpd without stack.httpd: yes: add it, or remove the step`),
	doing("no workers", "{fault: limit-httpd, workers: 0}", `8:39: do.workers: want a whole number from 1 to 25, got 0`),
	doing("more workers than there are", "{fault: limit-httpd, workers: 26}", `8:39: do.workers: want a whole number from 1 to 25, got 26`),
	doing("disk of one instance", "{fault: fill-disk, on: web-1}", `8:32: do.on: does not fit fill-disk, which takes nothing more`),
	doing("heal of what was reset", "[{fault: reset-network, hop: lb-web}, {heal: reset-network}]", `8:54: heal reset-network: there is nothing to heal, it is over when its step is`),
	doing("twice", "[{fault: freeze, on: web-1}, {fault: freeze, on: web-2}]", `8:46: fault freeze on web-2: freeze has begun already at that point: heal it first`),
	doing("heal before", "[{heal: freeze}, {fault: freeze}]", `8:17: heal freeze: it has not begun at that point (what has: none)`),
	doing("heal of another", "[{fault: freeze}, {heal: replay-requests}]", `8:34: heal replay-requests: it has not begun at that point (what has: freeze)`),
	doing("heal twice", "[{fault: freeze}, {heal: freeze}, {heal: freeze}]", `8:50: heal freeze: it has not begun at that point (what has: none)`),
	doing("heal of what is over at once", "[{fault: reload-lb}, {heal: reload-lb}]", `8:37: heal reload-lb: there is nothing to heal, it is over when its step is`),
	doing("heal misspelled", "{heal: freez}", `8:16: do.heal: unknown "freez": did you mean "freeze"? (known: `+script.KnownFaults+`)`),
	doing("heal on one", "[{fault: freeze}, {heal: freeze, on: web-1}]", `8:46: do.on: does not fit heal: remove it`),
	doing("kill with a share", "{kill: web-1, share: 0.1}", `8:30: do.share: does not fit kill: remove it`),
	doing("kill with draining", "{kill: web-1, drain: no}", `8:30: do.drain: does not fit kill: remove it`),
	doing("drain neither", "{terminate: web-1, drain: maybe}", `8:35: do.drain: unknown "maybe": want one of yes, no`),
	{"retry misspelled", "stack:\n  web: {instances: 3}\n", "stack:\n  web: {instances: 3}\n  lb: {retry: al}\n", []string{`4:15: stack.lb.retry: unknown "al": did you mean "all"? (known: conn-failure, all)`}},
	{"forgets all", "stack:\n  web: {instances: 3}\n", "stack:\n  web: {instances: 3}\n  mongo: {forget: 1}\n", []string{`4:19: stack.mongo.forget: want a whole number from 2 to 1000000, got 1`}},
}

// Every fault is read with its defaults, and with what the file says.
func TestFaults(t *testing.T) {
	for source, want := range map[string]script.Step{
		"{fault: drop-datagrams}":                                    {Move: script.BeginFault{Fault: script.DropDatagrams{Share: 0.1}}},
		"{fault: drop-datagrams, on: web-2, share: 1}":               {Move: script.BeginFault{Fault: script.DropDatagrams{Share: 1}, Instance: "web-2"}},
		"{fault: duplicate-datagrams, share: 0.2}":                   {Move: script.BeginFault{Fault: script.DuplicateDatagrams{Share: 0.2}}},
		"{fault: reorder-datagrams}":                                 {Move: script.BeginFault{Fault: script.ReorderDatagrams{Share: 0.1}}},
		"{fault: truncate-datagrams}":                                {Move: script.BeginFault{Fault: script.TruncateDatagrams{Bytes: 40}}},
		"{fault: truncate-datagrams, bytes: 7}":                      {Move: script.BeginFault{Fault: script.TruncateDatagrams{Bytes: 7}}},
		"{fault: delay-datagrams}":                                   {Move: script.BeginFault{Fault: script.DelayDatagrams{By: 5 * time.Second}}},
		"{fault: delay-datagrams, by: 1s}":                           {Move: script.BeginFault{Fault: script.DelayDatagrams{By: time.Second}}},
		"{fault: leftover-lines, rate: 7/s, on: web-1}":              {Move: script.BeginFault{Fault: script.LeftoverLines{Rate: 7}, Instance: "web-1"}},
		"{fault: leftover-load}":                                     {Move: script.BeginFault{Fault: script.LeftoverLoad{Rate: 20}}},
		"{fault: replay-requests, share: 0.5}":                       {Move: script.BeginFault{Fault: script.ReplayRequests{Share: 0.5}}},
		"{fault: freeze, on: web-3}":                                 {Move: script.BeginFault{Fault: script.Freeze{}, Instance: "web-3"}},
		"{fault: reload-lb}":                                         {Move: script.BeginFault{Fault: script.ReloadLB{}}},
		"{fault: kill-collector}":                                    {Move: script.BeginFault{Fault: script.KillCollector{For: time.Second}}},
		"{fault: kill-collector, for: 2s}":                           {Move: script.BeginFault{Fault: script.KillCollector{For: 2 * time.Second}}},
		"{fault: restart-collector}":                                 {Move: script.BeginFault{Fault: script.RestartCollector{For: time.Second}}},
		"{fault: restart-collector, for: 300ms, within: 5s}":         {Move: script.BeginFault{Fault: script.RestartCollector{For: 300 * time.Millisecond}}, Within: 5 * time.Second},
		"{fault: slow-network, hop: users-lb}":                       {Move: script.BeginFault{Fault: script.SlowNetwork{Hop: script.UsersLB, By: 200 * time.Millisecond}}},
		"{fault: slow-network, hop: lb-web, by: 1s, on: web-2}":      {Move: script.BeginFault{Fault: script.SlowNetwork{Hop: script.LBWeb, By: time.Second}, Instance: "web-2"}},
		"{fault: throttle-network, hop: web-db}":                     {Move: script.BeginFault{Fault: script.ThrottleNetwork{Hop: script.WebDB, Bandwidth: 100_000}}},
		"{fault: throttle-network, hop: lb-web, bandwidth: 1.5MB/s}": {Move: script.BeginFault{Fault: script.ThrottleNetwork{Hop: script.LBWeb, Bandwidth: 1_500_000}}},
		"{fault: cut-network, hop: web-db, on: web-1}":               {Move: script.BeginFault{Fault: script.CutNetwork{Hop: script.WebDB}, Instance: "web-1"}},
		"{fault: kill-lb}":                                           {Move: script.BeginFault{Fault: script.KillLB{}}},
		"{fault: fill-disk}":                                         {Move: script.BeginFault{Fault: script.FillDisk{}}},
		"{fault: reset-network, hop: lb-web}":                        {Move: script.BeginFault{Fault: script.ResetNetwork{Hop: script.LBWeb}}},
		"{terminate: web-2, drain: no}":                              {Move: script.Terminate{Instance: "web-2", Abrupt: true}, Within: 25 * time.Second},
		"{terminate: web-2, drain: yes, within: 10s}":                {Move: script.Terminate{Instance: "web-2"}},
		"[{fault: freeze, on: web-2}, {heal: freeze}]":               {Move: script.Heal{Fault: "freeze"}},
		"[{launch: 1}, {fault: leftover-lines, on: web-4}]":          {Move: script.BeginFault{Fault: script.LeftoverLines{Rate: 20}, Instance: "web-4"}},
		"[{fault: freeze}, {heal: freeze}, {fault: freeze}]":         {Move: script.BeginFault{Fault: script.Freeze{}}},
		"[{fault: reload-lb}, {fault: reload-lb, within: 2s}]":       {Move: script.BeginFault{Fault: script.ReloadLB{}}, Within: 2 * time.Second},
	} {
		if want.Within == 0 {
			want.Within = 10 * time.Second
		}
		s, err := script.Parse("demo.yaml", []byte(doing("", source).source(t)), script.Options{})
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		do := s.Phases[0].Do
		if diff := cmp.Diff(want, do[len(do)-1], cmpopts.IgnoreFields(script.Step{}, "Pos")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

func TestFaultsOfHTTPD(t *testing.T) {
	for source, want := range map[string]script.Move{
		"{fault: reload-httpd}":                        script.BeginFault{Fault: script.ReloadHTTPD{}},
		"{fault: kill-httpd, on: web-2}":               script.BeginFault{Fault: script.KillHTTPD{}, Instance: "web-2"},
		"{fault: limit-httpd}":                         script.BeginFault{Fault: script.LimitHTTPD{Workers: 1}},
		"{fault: limit-httpd, on: web-1, workers: 2}":  script.BeginFault{Fault: script.LimitHTTPD{Workers: 2}, Instance: "web-1"},
		"[{fault: limit-httpd}, {heal: limit-httpd}]":  script.Heal{Fault: "limit-httpd"},
		"[{fault: reload-httpd}, {fault: kill-httpd}]": script.BeginFault{Fault: script.KillHTTPD{}},
	} {
		text := strings.Replace(doing("", source).source(t), "web: {instances: 3}", "httpd: yes\n  web: {instances: 3}", 1)
		s, err := script.Parse("demo.yaml", []byte(text), script.Options{})
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		do := s.Phases[0].Do
		if diff := cmp.Diff(want, do[len(do)-1].Move); diff != "" || !s.Stack.HTTPD {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
		if kills := strings.Contains(source, "kill"); s.Needs(script.RespawnHTTPD) != kills {
			t.Errorf("%s: must be started again: %v", source, !kills)
		}
	}
}

func TestWhatAStackCanDoWrong(t *testing.T) {
	s := parse(t, strings.Replace(smallest, "  web: {instances: 3}\n", "  web: {instances: 3}\n  mongo: {forget: 50}\n  lb: {retry: all}\n", 1))
	if s.Stack.Forget != 50 || !s.Stack.RetryAll || s.Stack.Mongo != "" {
		t.Errorf("got %+v", s.Stack)
	}
}

func TestStepsAreWrittenAsInTheFile(t *testing.T) {
	for want, step := range map[string]script.Step{
		"fault freeze on web-2":             {Move: script.BeginFault{Fault: script.Freeze{}, Instance: "web-2"}},
		"fault cut-network lb-web on web-2": {Move: script.BeginFault{Fault: script.CutNetwork{Hop: script.LBWeb}, Instance: "web-2"}},
		"fault reset-network users-lb":      {Move: script.BeginFault{Fault: script.ResetNetwork{Hop: script.UsersLB}}},
		"heal freeze":                       {Move: script.Heal{Fault: "freeze"}},
		"terminate web-1 without draining":  {Move: script.Terminate{Instance: "web-1", Abrupt: true}},
		"terminate web-1":                   {Move: script.Terminate{Instance: "web-1"}},
	} {
		if got := step.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A scenario needs what its steps and faults need, and nothing else.
func TestNeeds(t *testing.T) {
	s := parse(t, doing("", "[{fault: restart-collector}, {fault: leftover-lines}, {fault: drop-datagrams}, {limit: web-1, cpus: 1}]").source(t))
	for need, want := range map[script.Need]bool{
		script.Relays: true, script.OwnAddress: true, script.CPULimits: true,
		script.Proxy: false, script.Master: false, script.OwnDatabase: false,
	} {
		if got := s.Needs(need); got != want {
			t.Errorf("it needs %s: %v, want %v", need, got, want)
		}
	}
	if diff := cmp.Diff([]string{"drop-datagrams", "leftover-lines", "restart-collector"}, s.FaultsThatNeed(script.OwnAddress)); diff != "" {
		t.Errorf("who needs an own address (-want +got):\n%s", diff)
	}
	if !script.Uses[script.LeftoverLines](s) || script.Uses[script.Freeze](s) {
		t.Error("it uses leftover-lines and not freeze")
	}
}

// Links are needed on the hops of the faults that there are, and on no other.
func TestNeedsOfHops(t *testing.T) {
	s := parse(t, doing("", "[{fault: slow-network, hop: lb-web}, {fault: cut-network, hop: web-db}]").source(t))
	for need, want := range map[script.Need]bool{
		script.LinkOn(script.LBWeb): true, script.LinkOn(script.WebDB): true, script.LinkOn(script.UsersLB): false, script.OwnDatabase: true,
	} {
		if got := s.Needs(need); got != want {
			t.Errorf("it needs %s: %v, want %v", need, got, want)
		}
	}
	if diff := cmp.Diff([]string{"cut-network"}, s.FaultsThatNeed(script.OwnDatabase)); diff != "" {
		t.Errorf("who needs a database (-want +got):\n%s", diff)
	}
	_, err := script.Parse("demo.yaml", []byte(strings.Replace(doing("", "{fault: cut-network, hop: web-db}").source(t),
		"  web: {instances: 3}\n", "  web: {instances: 3, command: [ours]}\n  mongo: none\n", 1)), script.Options{})
	if err == nil || !strings.Contains(err.Error(), "fault cut-network web-db: there is no database") {
		t.Errorf("a network to no database: %v", err)
	}
}
