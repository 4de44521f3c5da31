package script

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// there is a scenario of a stack that runs already, less what is to be left out.
func there(replaced ...string) string {
	return strings.NewReplacer(replaced...).Replace(`scenario: there
stack:
  external:
    url: http://shop.test:8080/
    header: X-Backend
    instances: [shop@1, shop@2]
    launched: shop@{{.Number}}
    statsd: {listen: 127.0.0.1:8125, tag: host}
    alive: [systemctl, is-active, "{{.Name}}"]
    stop: 20s
    do:
      kill: [systemctl, kill, "{{.Name}}"]
      launch: [systemctl, start, "{{.Name}}"]
      terminate: [systemctl, stop, "{{.Name}}"]
    after: [systemctl, start, shop.target]
load: {rate: 10/s, mix: {insert: 1}}
phases:
  - {phase: a, do: [{kill: shop@2}, {launch: 1}], for: 5s}
  - {phase: b, do: [{replace: shop@3}, {kill: newest}, {scale: 3}, {scale: 1}], for: 5s}
checks:
  - conservation: {metric: fullstack.insert}
waive: [{check: conservation, instance: shop@5, reason: known}]
`)
}

func TestExternal(t *testing.T) {
	s, err := Parse("there.yaml", []byte(there()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := &External{URL: "http://shop.test:8080", Header: "X-Backend", Instances: []string{"shop@1", "shop@2"}, Launched: "shop@{{.Number}}", StatsD: "127.0.0.1:8125", Tag: "host",
		Alive: []string{"systemctl", "is-active", "{{.Name}}"}, After: []string{"systemctl", "start", "shop.target"},
		Do: map[string][]string{"kill": {"systemctl", "kill", "{{.Name}}"}, "launch": {"systemctl", "start", "{{.Name}}"}, "terminate": {"systemctl", "stop", "{{.Name}}"}}}
	if diff := cmp.Diff(want, s.Stack.External); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w := s.Stack.Web; w.Instances != 2 || w.Stop != 20*time.Second || w.Health != "" || len(w.Routes) == 0 || s.Stack.Mongo != MongoNone {
		t.Errorf("as a role it is %+v, with the database %q", w, s.Stack.Mongo)
	}
	if got := s.Stack.InstanceName("web", 2) + " " + s.Stack.InstanceName("web", 7); got != "shop@2 shop@7" {
		t.Errorf("its instances are called %s", got)
	}
}

// What nobody could do, see or tell is refused, with what to do instead.
func TestExternalRefused(t *testing.T) {
	const replaced = "{replace: shop@3}, {kill: newest}, {scale: 3}, {scale: 1}"
	check := func(more string) string {
		return there("  - conservation: {metric: fullstack.insert}\n", "  - conservation: {metric: fullstack.insert}\n  - "+more+"\n")
	}
	for _, c := range []struct{ text, want string }{
		{there("http://shop.test:8080/", "https://shop.test"), `stack.external.url: "https://shop.test": what goes over TLS cannot be followed to the wire, so that nobody could tell what was sent: want http, past whatever ends TLS`},
		{there("http://shop.test:8080/", "http://shop.test/path"), `stack.external.url: "http://shop.test/path": want scheme, host and port, like http://127.0.0.1:8080; paths belong to the routes`},
		{there("[shop@1, shop@2]", "[shop@1, shop@1, shop@2]"), `stack.external.instances: "shop@1" is there twice: want each instance once`},
		{there("[shop@1, shop@2]", "[shop@1, shop@2, newest]"), `stack.external.instances: "newest" stands for an instance, or for several, in steps: want the name of one`},
		{there("shop@{{.Number}}", "shop@9"), `stack.external.launched: "shop@9" is not a name with {{.Number}} in it, like web-{{.Number}}`},
		{there("    launched: shop@{{.Number}}\n", ""), "launch 1: what are further instances called? want stack.external.launched, like web-{{.Number}}"},
		{there("[shop@1, shop@2]", "[shop@2, shop@3]"), "launch 1: stack.external.launched calls the next one shop@3, as one that is there already: no name can be used twice"},
		{there(", tag: host", ""), "stack.external.statsd: who sent a line? want tag: instance, whose value is the instance's name, or addresses: {web-1: 10.0.0.11, …}"},
		{there("tag: host", "addresses: {shop@1: 10.0.0.1, shop@2: 10.0.0.2}"), "launch 1: stack.external.statsd.addresses has no address of shop@3, so that its metrics would be nobody's"},
		{there("tag: host", "addresses: {shop@1: 10.0.0.1, shop@2: 10.0.0.1}"), `stack.external.statsd.addresses.shop@2: 10.0.0.1 is the address of shop@1 too, so that nobody knows which of them sent a line: want tag`},
		{there("tag: host", "addresses: {shop@1: 10.0.0.1}"), "stack.external: statsd.addresses has none of shop@2, so that its metrics would be nobody's"},
		{there("127.0.0.1:8125", "here"), `stack.external.statsd.listen: "here" is not a host and a port, like 127.0.0.1:8125`},
		{there(`    alive: [systemctl, is-active, "{{.Name}}"]`+"\n", ""), "kill shop@2: nobody could tell whether it had an effect: want stack.external.alive or stack.external.health"},
		{there(`is-active, "{{.Name}}"`, "is-active"), "stack.external.alive: it is the same for all instances: want {{.Name}} in it"},
		{there(`    alive: [systemctl, is-active, "{{.Name}}"]`, "    health: http://10.0.0.1/"), `stack.external.health: "http://10.0.0.1/" is not a URL with {{.Name}} in it, like http://{{.Name}}:8080/healthz`},
		{there(`      kill: [systemctl, kill, "{{.Name}}"]`+"\n", ""), "kill shop@2: how? want stack.external.do.kill, like [a program, its arguments]"},
		{there(`      launch: [systemctl, start, "{{.Name}}"]`+"\n", ""), "launch 1: how? want stack.external.do.launch or stack.external.do.scale, like [a program, its arguments]"},
		{there(`      terminate: [systemctl, stop, "{{.Name}}"]`+"\n", ""), "replace shop@3: how? want stack.external.do.terminate or stack.external.do.scale, like [a program, its arguments]"},
		{there(replaced, "{scale: 1}", `      terminate: [systemctl, stop, "{{.Name}}"]`+"\n", ""), "scale 1: how? want stack.external.do.terminate or stack.external.do.scale, like [a program, its arguments]"},
		{there(replaced, "{fault: reload-lb}"), "fault reload-lb: reload-lb is done to parts that a run has started, and cannot be done to a stack that is there already (stack.external): want one of kill, terminate, launch, scale, replace"},
		{there(replaced, "{limit: shop@1, cpus: 0.5}"), "limit shop@1, cpus: 0.5: it cannot be done to a stack that is there already (stack.external): want one of kill, terminate, launch, scale, replace"},
		{there(replaced, "{deploy: v2}"), "deploy v2: it cannot be done to a stack that is there already (stack.external): want one of kill, terminate, launch, scale, replace"},
		{there("  external:", "  web: {instances: 2}\n  external:"), "stack.web: the stack is there already (stack.external), so nothing can be said of how it is started: remove it"},
		{there("phases:\n", "autoscale: {max: 3, on: up, per: sum, target: 1}\nphases:\n"), "autoscale: a stack that is there already (stack.external) is scaled by steps, or by an autoscaler of its own: remove it"},
		{check("audit: {route: insert}"), "audit: nobody reads the database of a stack that is there already (stack.external): remove the check"},
		{check("correlation: {layers: [users, web, db], at_least: 0.9}"), "correlation: nobody sees the layer db of a stack that is there already (stack.external): want users and web"},
		{check("correlation: {layers: [users, httpd], at_least: 0.9}"), "correlation: nobody sees the layer httpd of a stack that is there already (stack.external): want users and web"},
		{check("continuity: {source: cloudwatch}"), "nobody asks CloudWatch of a stack that is there already (stack.external): remove source, and give metric"},
	} {
		_, err := Parse("there.yaml", []byte(c.text), Options{})
		if err == nil {
			t.Errorf("it was taken, want %s", c.want)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("it is refused with\n%v\nwant\n%s", err, c.want)
		}
	}
}
