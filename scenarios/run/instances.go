package run

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
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

// roleOf is the role of an instance of the application.
func roleOf(instance string) record.Role { return record.Role(script.RoleOf(instance)) }

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

// webInstance is what instance number of a version of a role is and is told; mongoURI is "" where there
// is no database. Everything it is told is listed here and in the README; an application may ignore all but
// PORT and the StatsD address.
func (c Config) webInstance(web script.Web, number int, statsd, mongoURI string) (compose.Instance, error) {
	name := script.InstanceName(web.RoleName(), number)
	host, port, err := net.SplitHostPort(statsd)
	if err != nil {
		return compose.Instance{}, fmt.Errorf("statsd address of %s: %w", name, err)
	}
	program, err := c.webProgram(web)
	if err != nil {
		return compose.Instance{}, fmt.Errorf("%s: %w", name, err)
	}
	env := map[string]string{
		"HOST": "{{.Host}}", "PORT": "{{.Port}}",
		"INSTANCE": "{{.Name}}", "ZONE": zoneOf(number),
		"STATSD_HOST": host, "STATSD_PORT": port,
		"DD_AGENT_HOST": host, "DD_DOGSTATSD_PORT": port, "DD_DOGSTATSD_URL": "udp://" + statsd,
		"DD_TAGS": "role:" + web.RoleName() + ",zone:" + zoneOf(number),
	}
	if web.Version != "" {
		env["VERSION"] = web.Version
		env["DD_TAGS"] += ",version:" + web.Version
	}
	if mongoURI != "" {
		env["MONGODB_URI"] = mongoURI
	}
	maps.Copy(env, web.Env)
	i := compose.Instance{
		Name: name, Program: program, Env: env, Ports: map[string]int{"http": 0},
		Ready: compose.Probe{Port: "http", Path: web.Health, Within: startLimit}, Stop: web.Stop,
	}
	if web.Health == "" { // it listens nowhere
		i.Ports, i.Ready = nil, compose.Probe{}
		delete(env, "PORT")
	}
	return i, nil
}

// databaseInstance is the embedded database, or the one that was given. An embedded
// one may be told not to keep every nth update.
func (c Config) databaseInstance() compose.Instance {
	program := compose.Program{Self: []string{"docstore", "--listen", "{{.Host}}:{{.Port}}", "--data", "{{.Dir}}/data"}}
	if c.needs(script.OwnDisk) {
		program.Self = []string{"docstore", "--listen", "{{.Host}}:{{.Port}}", "--data", c.ownDisk(), "--own-disk", strconv.Itoa(diskSize)}
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
	if forget := c.Scenario.Stack.Forget; forget > 0 {
		tell(&i.Program, "--forget-every", strconv.Itoa(forget))
	}
	return i
}

// memberInstance is a member of the database of that name, which everybody reaches at its address. It reaches the others
// through a proxy, or directly ("").
func (c Config) memberInstance(name, proxy string) compose.Instance {
	i := c.databaseInstance()
	i.Name = name
	if c.Mongod {
		tell(&i.Program, "--replSet", setName)
		return i
	}
	tell(&i.Program, "--replica-set", setName, "--election-timeout", election.String(), "--advertise", "{{.Address}}:{{.Port}}")
	if proxy != "" {
		tell(&i.Program, "--peer-proxy", proxy)
	}
	return i
}

// tell gives a program further arguments, and leaves those of others that are made of the same alone.
func tell(p *compose.Program, more ...string) {
	words := &p.Self
	if len(p.Command) > 0 {
		words = &p.Command
	}
	*words = slices.Concat(*words, more)
}

// MongodProgram is a mongod of this machine as a database of a run: it keeps what it has in its own directory, and is gone with it.
// Source: https://www.mongodb.com/docs/manual/reference/program/mongod/
func MongodProgram(path string) compose.Program {
	return compose.Program{Command: []string{path, "--bind_ip", "{{.Host}}", "--port", "{{.Port}}", "--dbpath", "{{.Dir}}"}}
}

// diskSize is that of a file system of the database's own, in bytes: some times what a long run leaves in it.
const diskSize = 64 << 20

// ownDisk is where it is mounted, for the database.
func (c Config) ownDisk() string { return filepath.Join(c.Scratch, "disk") }

// webProgram is what an instance of a version executes.
func (c Config) webProgram(web script.Web) (compose.Program, error) {
	if web.Image == "" {
		return WebProgram(web, c.Scenario.Dir()), nil
	}
	program, found := c.Web[web.Image]
	if !found {
		return compose.Program{}, fmt.Errorf("image %s: it was not looked for before the stack came up; write a scenario that names it", web.Image)
	}
	return program, nil
}

// WebProgram is what a web instance executes that has no image: the reference
// app, or the user's command in the scenario's directory.
func WebProgram(web script.Web, dir string) compose.Program {
	if len(web.Command) > 0 {
		return compose.Program{Command: web.Command, Dir: dir}
	}
	program := compose.Program{Self: []string{"app"}}
	if web.Defect != "" {
		program.Self = append(program.Self, "--defect", web.Defect)
	}
	return program
}
