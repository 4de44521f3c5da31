package script_test

import "throughline/scenarios/script"

// conserved is the only check of the smallest scenario.
const conserved = "conservation: {metric: fullstack.insert}"

var refusedPromises = []refused{
	{"identity without a metric", conserved, "identity: {tags: [zone]}", []string{`9:15: identity: the key "metric" is missing`}},
	{"identity with a misspelled key", conserved, "identity: {metric: fullstack.insert, tgas: [zone]}", []string{`9:42: identity: unknown key "tgas": did you mean "tags"? (known: metric, where, by, route, tags)`}},
	{"identity with instance", conserved, "identity: {metric: fullstack.insert, tags: [instance]}", []string{`9:49: identity.tags: instance is always expected: leave it out`}},
	{"identity with a tag twice", conserved, "identity: {metric: fullstack.insert, tags: [zone, zone]}", []string{`9:55: identity.tags: zone is there twice: want each tag once`}},
	{"identity with a value", conserved, `identity: {metric: fullstack.insert, tags: ["zone:a"]}`, []string{`9:49: identity.tags: "zone:a" is not the name of a tag: a letter, then letters, digits, '.', '_' and '-'`}},
	{"identity with an unknown route", conserved, "identity: {metric: fullstack.insert, route: isnert}", []string{`9:49: identity.route: no route "isnert": did you mean "insert"? (known: get, insert, insert-get, list, toplist)`}},
	{"nesting without a route", conserved, "nesting: {web: fullstack.insert.time}", []string{`9:14: nesting: the key "route" is missing`}},
	{"nesting with one timer twice", conserved, "nesting: {web: app.time, db: app.time, route: insert}", []string{`9:34: nesting.db: is the metric of web as well: want the timer of the database's calls`}},
	{"nesting of a timer that two routes share", "load: {rate: 200/s}\nphases:\n  - phase: warm-up\n    for: 8s\nchecks:\n  - " + conserved,
		"load: {rate: 200/s, mix: {insert: 1, insert-get: 1}}\nphases:\n  - phase: warm-up\n    for: 8s\nchecks:\n  - nesting: {web: fullstack.insert.time, route: insert}",
		[]string{`9:14: nesting: fullstack.insert.time counts the routes insert and insert-get, and load.mix has both: leave one of them out`}},
	{"nesting in parsecs", conserved, "nesting: {web: app.time, unit: pc, route: insert}", []string{`9:36: nesting.unit: unknown "pc": want one of s, ms, us, ns`}},
	{"gauge without rest", conserved, "gauge: {metric: fullstack.inflight}", []string{`9:12: gauge: the key "at_rest" is missing`}},
	{"gauge of a queue, perhaps", conserved, "gauge: {metric: fullstack.inflight, at_rest: 0, unqueued: maybe}", []string{`9:63: gauge.unqueued: unknown "maybe": want one of yes, no`}},
	{"gauge with half a request", conserved, "gauge: {metric: fullstack.inflight, at_rest: 0.5}", []string{`9:50: gauge.at_rest: want a whole number from 0 to 1000000, got 0.5`}},
	{"shutdown of nobody knows what", conserved, "shutdown: {metric: shop.orders}", []string{`9:15: shutdown: which requests does shop.orders count? add route: one of get, insert, insert-get, list, toplist`}},
	{"hygiene of nothing", conserved, "hygiene: {}", []string{`9:14: hygiene: is empty: want keys and values (max_series, growth)`}},
	{"hygiene without room", conserved, "hygiene: {max_series: 0, growth: -1}", []string{
		`9:27: hygiene.max_series: want a whole number from 1 to 20000, got 0`,
		`9:38: hygiene.growth: want a whole number from 0 to 20000, got -1`}},
	{"alert that may do anything", conserved, "alert: {name: Down, expr: up == 0}", []string{`9:12: alert: the key "fires" or "silent" is missing: want when the alert must fire, or the phases in which it must not`}},
	{"alert of a file with an expression of its own", conserved, "alert: {file: a.yml, expr: up == 0, for: 2s, silent: [run]}", []string{"9:32: alert.expr: the rule in the file has its own: leave out file or expr", "9:46: alert.for: the rule in the file has its own: leave out file or for"}},
	{"alert of no file", conserved, "alert: {file: '', silent: [run]}", []string{"9:19: alert.file: is empty: want a file of alerting rules, like alerts.yml"}},
	{"alert without a name or a file", conserved, "alert: {expr: up == 0, silent: [run]}", []string{`9:12: alert: the key "name" is missing`}},
	{"alert that only clears", conserved, "alert: {name: Down, expr: up == 0, clears: {within: 2s}}", []string{`9:48: alert.clears: there is no fires: only an alert that fires can clear`}},
	{"alert in an unknown phase", conserved, "alert: {name: Down, expr: up == 0, fires: {in: warmup, within: 2s}}", []string{`9:52: alert.fires.in: no phase "warmup": did you mean "warm-up"? (known: run, warm-up)`}},
	{"alert in the whole run", conserved, "alert: {name: Down, expr: up == 0, fires: {in: run, within: 2s}}", []string{`9:52: alert.fires.in: want one phase, not the whole run`}},
	{"alert without an end", conserved, "alert: {name: Down, expr: up == 0, fires: {in: warm-up}}", []string{`9:47: alert.fires: the key "within" is missing`}},
	{"alert that must and must not", conserved, "alert: {name: Down, expr: up == 0, fires: {in: warm-up, within: 2s}, silent: [run]}", []string{`9:83: alert.silent: the alert must fire then: want other phases`}},
	{"alert with two names", conserved, `alert: {name: "Web Down", expr: up == 0, silent: [run]}`, []string{`9:19: alert.name: "Web Down" is not a name of at most 64 letters, digits, '-', '_' and '.', like WebDown`}},
	{"two views of nobody", conserved, "two-views: {idle: 1}", []string{`9:16: two-views: the key "instance" is missing`}},
	{"two views without a limit", conserved, "two-views: {instance: web-2}", []string{`9:27: two-views.instance: no step limits "web-2", so the two views agree: want do: {limit: web-2, cpus: 0.2} or the like in a phase`}},
	{"two views beyond one", conserved, "two-views: {instance: web-2, used: 2, idle: 0}", []string{
		`9:27: two-views.instance: no step limits "web-2", so the two views agree: want do: {limit: web-2, cpus: 0.2} or the like in a phase`,
		`9:40: two-views.used: want a number above 0 and at most 1, got 2`, `9:49: two-views.idle: want a number above 0 and at most 1, got 0`}},
	{"beacons that nobody sends", conserved, "beacons: {}", []string{`9:14: beacons: no user sends any: say so in load, like beacons: {share: 0.9}`}},
	{"latency of nothing", conserved, "latency: {route: insert}", []string{`9:14: latency: promises nothing: want at least one of p50, p90, p95, p99, p999, max, like p99: 200ms`}},
	{"latency of a percentile that there is not", conserved, "latency: {p98: 1s}", []string{`9:15: latency: unknown key "p98": did you mean "p90"? (known: route, in, p50, p90, p95, p99, p999, max)`}},
	{"latency that contradicts itself", conserved, "latency: {p99: 200ms, p50: 300ms}", []string{`9:20: latency.p99: want at least 300ms, the bound of p50, which is never above it`}},
	{"latency without a unit", conserved, "latency: {p99: 200}", []string{`9:20: latency.p99: 200 has no unit: want a duration like 8s (units: h, m, s, ms)`}},
	{"latency of nobody's route, at no time", conserved, "latency: {p99: 1s, route: isnert, in: warmup}", []string{
		`9:31: latency.route: no route "isnert": did you mean "insert"? (known: get, insert, insert-get, list, toplist)`,
		`9:43: latency.in: no phase "warmup": did you mean "warm-up"? (known: run, warm-up)`}},
	{"availability of nothing", conserved, "availability: {route: insert}", []string{`9:19: availability: the key "least" is missing`}},
	{"availability without percent", conserved, "availability: {least: 0.999}", []string{`9:27: availability.least: 0.999 has no unit: want a percentage above 0% and at most 100%, with four decimals at most, like 99.9%`}},
	{"availability of more than all", conserved, "availability: {least: 100.1%}", []string{`9:27: availability.least: want a percentage above 0% and at most 100%, with four decimals at most, like 99.9%, got "100.1%"`}},
	{"availability of none", conserved, "availability: {least: 0%}", []string{`9:27: availability.least: want a percentage above 0% and at most 100%, with four decimals at most, like 99.9%, got "0%"`}},
	{"availability to five decimals", conserved, "availability: {least: 99.99999%}", []string{`9:27: availability.least: want a percentage above 0% and at most 100%, with four decimals at most, like 99.9%, got "99.99999%"`}},
	{"availability with no status", conserved, "availability: {least: 99%, status: [2xx, 600, 2xx]}", []string{
		`9:46: availability.status: want a class of statuses or a single one, like 2xx or 404, got "600"`,
		`9:51: availability.status: 2xx is there twice: want each once`}},
	{"audit of nothing", conserved, "audit: {rout: insert}", []string{`9:13: audit: unknown key "rout": did you mean "route"? (known: route)`}},
	{"audit of what reads", conserved, "audit: {route: get}", []string{`9:20: audit.route: the route "get" writes nothing: want one that does`}},
	{"audit without a database", "{instances: 3}\nload: {rate: 200/s}\nphases:\n  - phase: warm-up\n    for: 8s\nchecks:\n  - " + conserved,
		"{instances: 3, command: [app]}\n  mongo: none\nload: {rate: 200/s}\nphases:\n  - phase: warm-up\n    for: 8s\nchecks:\n  - audit: {route: insert}",
		[]string{`10:20: audit.route: there are no documents to compare with, with stack.mongo: none: remove one of the two`}},
	{"audit of one of two writes", "load: {rate: 200/s}\nphases:\n  - phase: warm-up\n    for: 8s\nchecks:\n  - " + conserved,
		"load: {rate: 200/s, mix: {insert: 1, insert-get: 1}}\nphases:\n  - phase: warm-up\n    for: 8s\nchecks:\n  - audit: {}",
		[]string{`9:12: audit: the key "route" is missing`}},
}

var refusedWaivers = []refused{
	{"without a reason", conserved, conserved + "\nwaive:\n  - {check: conservation}", []string{`11:5: waive: the key "reason" is missing`}},
	{"for no reason", conserved, conserved + "\nwaive:\n  - {check: conservation, reason: \"\"}", []string{`11:35: waive.reason: is empty: want why the failure is accepted`}},
	{"of a check that is not there", conserved, conserved + "\nwaive:\n  - {check: continuity, reason: known}", []string{`11:13: waive.check: the scenario has no check continuity: have conservation`}},
	{"of a misspelled check", conserved, conserved + "\nwaive:\n  - {check: conservatoin, reason: known}", []string{`11:13: waive.check: unknown "conservatoin": did you mean "conservation"? (known: ` + script.KnownChecks + `)`}},
	{"of an instance that never lives", conserved, conserved + "\nwaive:\n  - {check: conservation, instance: web-7, reason: known}", []string{`11:37: waive.instance: no instance web-7 is ever launched (have web-1, web-2, web-3)`}},
	{"of everything", conserved, conserved + "\nwaive: all", []string{`10:8: waive: want a list of waivers, like [{check: conservation, instance: web-2, reason: its client is to be repaired}], got the text "all"`}},
}
