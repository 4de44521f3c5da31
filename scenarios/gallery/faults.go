package gallery

import (
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// A fault lasts from the beginning of the second phase until the load has ended.
func withFault(steps ...string) Stage { return Stage{Steps: steps} }

func faultEntries() []Entry {
	return []Entry{
		{Name: "drop-datagrams", Fault: "F28", About: "one datagram in ten is lost on its way", Stage: withFault("fault: drop-datagrams, share: 0.1"), Want: wantConservation("datagrams-lost")},
		{Name: "duplicate-datagrams", About: "one datagram in ten arrives twice", Stage: withFault("fault: duplicate-datagrams, share: 0.1"), Want: wantConservation("datagrams-duplicated")},
		{Name: "truncate-datagrams", Fault: "F14", About: "datagrams are cut on their way", Stage: withFault("fault: truncate-datagrams, bytes: 60"), Want: wantCheck("hygiene", "truncated-datagrams", "bad-lines")},
		{Name: "delay-datagrams", Fault: "F18", About: "datagrams of one instance take 4 s", Stage: withFault("fault: delay-datagrams, by: 4s, on: web-2"), Want: wantCheck("conservation", "late").blaming("web-2")},
		{Name: "restart-collector", Fault: "F27", About: "the collector is restarted, and away for 2 s", Stage: withFault("fault: restart-collector, for: 2s"), Want: wantConservation("collector-away")},
		{Name: "kill-collector", Fault: "F27", About: "the collector is killed, and away for 2 s", Stage: withFault("fault: kill-collector, for: 2s"), Want: wantConservation("collector-away")},
		{Name: "agent-drops-bucket", About: "an agent ends at SIGTERM with the counts that it holds", Stage: beside(script.AgentDropsBucket, "terminate: agent-2"),
			Want: wantConservation("agent-lost").blaming("web-2")},
		{Name: "replayed-requests", Fault: "F54", About: "something before the load balancer sends some requests twice", Stage: withFault("fault: replay-requests, share: 0.05"),
			Want: Want{Outcome: verdict.Fail, Check: "requests", Causes: []string{"client-replay"}}},
		{Name: "leftover-load", Fault: "F66", About: "an earlier run's users are still there", Stage: withFault("fault: leftover-load, rate: 20/s"),
			Want: Want{Outcome: verdict.Fail, Check: "requests", Causes: []string{"foreign-requests"}}},
		{Name: "leftover-lines", Fault: "F66", About: "an earlier run's instance still sends to the address of web-2", Stage: withFault("fault: leftover-lines, rate: 20/s, on: web-2"),
			Want: wantConservation("foreign-lines").blaming("web-2")},
		{Name: "httpd-lost-on-exit", Fault: "F1", About: "behind an httpd counts wait in a buffer that is not flushed on SIGTERM", Stage: Stage{HTTPD: true, Defect: "lost-on-exit", Steps: []string{"replace: web-1"}, After: 6},
			Want: wantConservation("lost-on-exit").blaming("web-1").asLogged()},
		{Name: "httpd-disagrees", About: "httpd logs 502 for answers that users had, and the application counted", Stage: fronted(), Spoil: disagrees,
			Want: wantCheck("conservation", "httpd-disagrees").blaming("web-3")},
		{Name: "missing-period", About: "CloudWatch is told nothing of an instance for longer than a period", Stage: monitored(8, 0).mute(11, "web-2"),
			Want: wantCheck("continuity", "missing-period").blaming("web-2")},
		{Name: "half-filled-period", About: "CloudWatch is told nothing of an instance for a part of a period", Stage: monitored(8, 0).mute(2, "web-2"),
			Want: wantCheck("continuity", "half-filled-period").blaming("web-2")},
		{Name: "cpu-of-the-machine", About: "the agent inside each instance takes the machine's CPU for its own", Stage: monitored(8, 14).with("cpu-of-the-machine"),
			Want: wantCheck("two-views", "cpu-of-the-machine")},
		{Name: "forgetful-primary", Fault: "F60", About: "the database acknowledges writes and forgets them", Stage: Stage{Forget: 50}, Want: wantAudit("lost-writes")},
		{Name: "rolled-back", Fault: "F60", About: "writes are acknowledged by the primary alone, which is cut off from the other members",
			Stage: Stage{Members: 3, Early: true, Steps: []string{"fault: isolate-member"}, Heal: "isolate-member"}, Want: wantAudit("rolled-back")},
		{Name: "slow-for-users", About: "the network between the load balancer and one instance is slow, and users were promised better",
			Stage: Stage{Steps: []string{"fault: slow-network, hop: lb-web, by: 300ms, on: web-2"}, Heal: "slow-network", Checks: []string{"latency: {route: insert, p50: 200ms, p99: 400ms, in: after}"}},
			Want:  Want{Outcome: verdict.Fail, Check: "latency"}},
		{Name: "away-for-users", About: "the load balancer is killed, and users were promised better",
			Stage: Stage{Steps: []string{"fault: kill-lb"}, Failing: true, Checks: []string{"availability: {route: insert, least: 99.9%, in: after}"}},
			Want:  Want{Outcome: verdict.Fail, Check: "availability"}},
		{Name: "replayed-by-balancer", Fault: "F53", About: "the load balancer repeats inserts whose answer got lost", Stage: Stage{Defect: "answer-lost", Retry: true}, Want: wantAudit("applied-twice")},
	}
}

// disagrees has the httpd of one instance log that some of its answers broke off.
func disagrees(h *record.History) {
	n := 0
	for i := range h.Passages {
		x := &h.Passages[i]
		if x.Instance != "web-3" || !x.Answered || x.Status != 200 {
			continue
		}
		if n++; n%oneIn == 0 {
			x.Status, x.Answered = 502, false
		}
	}
}
