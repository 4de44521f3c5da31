package run

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"throughline/collector/poll"
	"throughline/compose"
	"throughline/compose/haproxy"
	"throughline/scenarios/script"
)

// NoDatabase is the record.Run.Database of a stack without one.
const NoDatabase = "none"

// webPrefix and the number of an instance make its name.
const webPrefix = "web-"

func webName(number int) string { return webPrefix + strconv.Itoa(number) }

// compareNames orders names with numbers at their ends as people count: web-2
// before web-10.
func compareNames(a, b string) int {
	split := func(s string) (string, int) {
		digits := strings.TrimRight(s, "0123456789")
		n, _ := strconv.Atoi(s[len(digits):]) // no number: 0
		return digits, n
	}
	aText, aNumber := split(a)
	bText, bNumber := split(b)
	return cmp.Or(cmp.Compare(aText, bText), cmp.Compare(aNumber, bNumber))
}

// zones are dealt to the instances in turn, as an autoscaling group does.
var zones = [...]string{"a", "b", "c"}

func zoneOf(number int) string { return zones[(number-1)%len(zones)] }

// startLimit is how long an instance may take to be ready.
const startLimit = 10 * time.Second

// webInstance is what web instance number is and is told. Everything it is
// told is listed here and in the README; an application may ignore all but
// PORT and the StatsD address.
func (s *stack) webInstance(number int, statsd string) (compose.Instance, error) {
	host, port, err := net.SplitHostPort(statsd)
	if err != nil {
		return compose.Instance{}, fmt.Errorf("statsd address of %s: %w", webName(number), err)
	}
	web := s.cfg.Scenario.Stack.Web
	env := map[string]string{
		"HOST": "{{.Host}}", "PORT": "{{.Port}}",
		"INSTANCE": "{{.Name}}", "ZONE": zoneOf(number),
		"STATSD_HOST": host, "STATSD_PORT": port,
		"DD_AGENT_HOST": host, "DD_DOGSTATSD_PORT": port, "DD_DOGSTATSD_URL": "udp://" + statsd,
		"DD_TAGS": "role:web,zone:" + zoneOf(number),
	}
	if s.mongoURI != "" {
		env["MONGODB_URI"] = s.mongoURI
	}
	maps.Copy(env, web.Env)
	return compose.Instance{
		Name: webName(number), Program: s.webProgram(), Env: env, Ports: map[string]int{"http": 0},
		Ready: compose.Probe{Port: "http", Path: web.Health, Within: startLimit}, Stop: web.Stop,
	}, nil
}

// databaseInstance is the embedded database, or the one that was given. An embedded
// one may be told not to keep every nth update.
func (s *stack) databaseInstance() compose.Instance {
	program := compose.Program{Self: []string{"docstore", "--listen", "{{.Host}}:{{.Port}}", "--data", "{{.Dir}}/data"}}
	if forget := s.cfg.Scenario.Stack.Forget; forget > 0 {
		program.Self = append(program.Self, "--forget-every", strconv.Itoa(forget))
	}
	i := compose.Instance{
		Name:    DatabaseName,
		Program: program,
		Ports:   map[string]int{"mongo": 0},
		Ready:   compose.Probe{Port: "mongo", Within: startLimit},
	}
	if given := s.cfg.Database; len(given.Command) > 0 {
		i.Program, i.Ready.Within = given, databaseLimit
	}
	return i
}

// balancerInstance is HAProxy, with a configuration it has agreed to.
func (s *stack) balancerInstance(ctx context.Context) (compose.Instance, error) {
	config := s.balancerConfig()
	if s.cfg.HAProxy == "" {
		return s.ownBalancer(config)
	}
	text, err := config.Render("127.0.0.1:1", "127.0.0.1:2") // any ports: -c binds none
	if err != nil {
		return compose.Instance{}, err
	}
	if err := haproxy.Check(ctx, s.cfg.HAProxy, text); err != nil {
		return compose.Instance{}, err
	}
	instance, err := config.Instance(BalancerName, s.cfg.HAProxy)
	return s.fronted(instance), err
}

// balancerConfig is how HAProxy is set up for the scenario.
func (s *stack) balancerConfig() haproxy.Config {
	stack := s.cfg.Scenario.Stack
	return haproxy.Config{HealthPath: stack.Web.Health, Log: s.executions.addr(), RetryAll: stack.RetryAll, Master: s.cfg.Scenario.Uses(script.ReloadLB)}
}

// WebProgram is what a web instance of the scenario executes: the reference
// app, or the user's command in the directory of the scenario file.
func WebProgram(s script.Scenario) compose.Program {
	web := s.Stack.Web
	if len(web.Command) > 0 {
		return compose.Program{Command: web.Command, Dir: filepath.Dir(s.File)}
	}
	program := compose.Program{Self: []string{"app"}}
	if web.Defect != "" {
		program.Self = append(program.Self, "--defect", web.Defect)
	}
	return program
}

// BalancerPoller gives a load balancer's statistics to the collector, which
// knows no HAProxy.
func BalancerPoller(lb *haproxy.Runtime) *poll.HAProxy {
	kinds := map[haproxy.Kind]string{
		haproxy.FrontendRow: poll.Frontend, haproxy.BackendRow: poll.Backend, haproxy.Server: poll.Server, haproxy.Listener: poll.Listener}
	return &poll.HAProxy{Rows: func(ctx context.Context) ([]poll.HAProxyRow, error) {
		rows, err := lb.Statistics(ctx)
		out := make([]poll.HAProxyRow, 0, len(rows))
		for _, r := range rows {
			out = append(out, poll.HAProxyRow{Proxy: r.Proxy, Server: r.Server, Kind: kinds[r.Kind], Values: r.Values,
				Status: r.Text["status"], Check: r.State().Check, Removed: r.Removed})
		}
		return out, err
	}}
}
