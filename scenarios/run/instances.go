package run

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"throughline/compose"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The instances that are no web instances.
var (
	DatabaseName = record.AllTiers().Of(record.LayerDB).Name(1)
	BalancerName = record.AllTiers().Of(record.LayerLB).Name(1)
)

func webName(number int) string { return record.AllTiers().Of(record.LayerWeb).Name(number) }

// zones are dealt to the instances in turn, as an autoscaling group does.
var zones = [...]string{"a", "b", "c"}

func zoneOf(number int) string { return zones[(number-1)%len(zones)] }

// startLimit is how long an instance may take to be ready, if its step does not give it
// longer. What others have made loads its modules, or begins a virtual machine, beside
// all others that start; the load has not begun, so that waiting spoils nothing.
const startLimit = 30 * time.Second

// startWithin is how long an instance may take to be ready in a move that has until the
// deadline of ctx.
func startWithin(ctx context.Context) time.Duration {
	if until, ok := ctx.Deadline(); ok {
		return max(startLimit, time.Until(until))
	}
	return startLimit
}

// webInstance is what web instance number is and is told; mongoURI is "" where there
// is no database. Everything it is told is listed here and in the README; an application may ignore all but
// PORT and the StatsD address.
func (c Config) webInstance(number int, statsd, mongoURI string) (compose.Instance, error) {
	host, port, err := net.SplitHostPort(statsd)
	if err != nil {
		return compose.Instance{}, fmt.Errorf("statsd address of %s: %w", webName(number), err)
	}
	web := c.Scenario.Stack.Web
	env := map[string]string{
		"HOST": "{{.Host}}", "PORT": "{{.Port}}",
		"INSTANCE": "{{.Name}}", "ZONE": zoneOf(number),
		"STATSD_HOST": host, "STATSD_PORT": port,
		"DD_AGENT_HOST": host, "DD_DOGSTATSD_PORT": port, "DD_DOGSTATSD_URL": "udp://" + statsd,
		"DD_TAGS": "role:web,zone:" + zoneOf(number),
	}
	if mongoURI != "" {
		env["MONGODB_URI"] = mongoURI
	}
	maps.Copy(env, web.Env)
	return compose.Instance{
		Name: webName(number), Program: c.webProgram(), Env: env, Ports: map[string]int{"http": 0},
		Ready: compose.Probe{Port: "http", Path: web.Health, Within: startLimit}, Stop: web.Stop,
	}, nil
}

// databaseInstance is the embedded database, or the one that was given. An embedded
// one may be told not to keep every nth update.
func (c Config) databaseInstance() compose.Instance {
	program := compose.Program{Self: []string{"docstore", "--listen", "{{.Host}}:{{.Port}}", "--data", "{{.Dir}}/data"}}
	if c.needs(script.OwnDisk) {
		program.Self = []string{"docstore", "--listen", "{{.Host}}:{{.Port}}", "--data", c.ownDisk(), "--own-disk", strconv.Itoa(diskSize)}
	}
	if forget := c.Scenario.Stack.Forget; forget > 0 {
		program.Self = append(program.Self, "--forget-every", strconv.Itoa(forget))
	}
	i := compose.Instance{
		Name:    DatabaseName,
		Program: program,
		Ports:   map[string]int{"mongo": 0},
		Ready:   compose.Probe{Port: "mongo", Within: startLimit},
	}
	if given := c.Database; len(given.Command) > 0 {
		i.Program, i.Ready.Within = given, databaseLimit
	}
	return i
}

// diskSize is that of a file system of the database's own, in bytes: some times what a long run leaves in it.
const diskSize = 64 << 20

// ownDisk is where it is mounted, for the database.
func (c Config) ownDisk() string { return filepath.Join(c.Scratch, "disk") }

func (c Config) webProgram() compose.Program {
	if len(c.Web.Command) > 0 {
		return c.Web
	}
	return WebProgram(c.Scenario)
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
