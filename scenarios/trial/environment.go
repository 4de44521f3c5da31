package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"throughline/compose"
	"throughline/compose/httpd"
	"throughline/compose/mongoset"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// Environment is a platform that was looked at and can run stacks: what its preflight
// found.
type Environment struct {
	Platform       string // its name, as records have it
	HAProxy        string // path on this machine; empty: the platform has its own
	HAProxyVersion string
	HTTPD          httpd.Program              // zero: no scenario asked for it
	Web            map[string]compose.Program // what the images of scenarios execute, by image
	Database       compose.Program            // what a database of an image executes; zero: the embedded one
	MongoDB        bool                       // that database is a MongoDB
	Chosen         bool                       // a user chose it
	Mongod         mongoset.Program           // of this machine, which is that database; zero: it is none
	Note           string                     // about what was not found and is replaced; empty: nothing
	// Standing is the same for scenarios whose stack is there already; nil: nobody asked for it.
	Standing *Environment
	// Open makes the platform of one run: it gives the configuration with Platform and
	// Scratch in it, and what takes both away again.
	Open  func(context.Context, run.Config) (opened run.Config, shut func(context.Context) error, err error)
	Limit time.Duration // how long shut may take
}

// do opens the platform for one run, does it, and takes the platform away again.
func (e Environment) do(ctx context.Context, c run.Config, do func(context.Context, run.Config) error) (err error) {
	c, shut, err := e.Open(ctx, c)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Limit)
		defer cancel()
		err = errors.Join(err, shut(closing))
	}()
	return do(ctx, c)
}

// For is what one scenario runs in: where it asks for what the embedded database alone can do, that
// takes the place of an image's that nobody chose.
func (e Environment) For(s script.Scenario) Environment {
	if s.Stack.External != nil && e.Standing != nil {
		return *e.Standing
	}
	what := embeddedAlone(s)
	if !e.MongoDB || e.Chosen || len(what) == 0 {
		return e
	}
	e.Note = fmt.Sprintf("%s is for the embedded database alone, which takes the place of the image %s", strings.Join(what, ", "), e.Database.Image)
	e.Database, e.MongoDB = compose.Program{}, false
	return e
}

// Lacks says what a platform cannot do of what scenarios may ask: each the reason, and
// what to do instead; empty: it can.
type Lacks struct {
	Images   string // to run the user's image
	Commands string // to run the user's command
	// OwnAddress is to give each instance a StatsD address of its own, which faults of
	// datagrams need. Elsewhere is what to do instead.
	OwnAddress, Elsewhere string
	Respawn               string // to kill the load balancer, and to start it again
	OwnDisk               string // to give the database a file system of its own
	Agents                string // to put an agent beside each instance
}

// Of gives what the scenario asks of the platform in vain.
func (l Lacks) Of(s script.Scenario) (missing []error) {
	for _, role := range s.Stack.Roles() {
		for i, web := range s.VersionsOf(role) {
			of := role.Key() + "."
			if i > 0 {
				of = "deploy " + web.Version + ": "
			}
			if l.Images != "" && web.Image != "" && (i == 0 || web.Image != role.Image) {
				missing = append(missing, fmt.Errorf("%s: %simage %s: %s", s.Name, of, web.Image, l.Images))
			}
			if l.Commands != "" && len(web.Command) > 0 && (i == 0 || !slices.Equal(web.Command, role.Command)) {
				missing = append(missing, fmt.Errorf("%s: %scommand %s: %s", s.Name, of, web.Command[0], l.Commands))
			}
		}
	}
	if l.Agents != "" && s.Stack.Agent.There() {
		missing = append(missing, fmt.Errorf("%s: stack.agent: %s; %s", s.Name, l.Agents, l.Elsewhere))
	}
	for _, lack := range []struct {
		need script.Need
		why  string
	}{{script.OwnAddress, l.OwnAddress}, {script.Respawn, l.Respawn}, {script.OwnDisk, l.OwnDisk}} {
		if lack.why == "" {
			continue
		}
		for _, fault := range s.FaultsThatNeed(lack.need) {
			missing = append(missing, fmt.Errorf("%s: fault %s: %s; %s", s.Name, fault, lack.why, l.Elsewhere))
		}
	}
	return missing
}

// embeddedAlone are what the scenario asks of a database that the embedded one alone can do.
func embeddedAlone(s script.Scenario) (what []string) {
	if s.Stack.Forget > 0 {
		what = append(what, fmt.Sprintf("stack.mongo.forget %d", s.Stack.Forget))
	}
	for _, need := range []script.Need{script.PeerProxies, script.OwnDisk} {
		for _, fault := range s.FaultsThatNeed(need) {
			what = append(what, "fault "+fault)
		}
	}
	return what
}

// DatabaseLacks gives what the scenario asks of a database in vain that is not the
// embedded one of the run.
func (e Environment) DatabaseLacks(s script.Scenario, mongoURI string) (missing []error) {
	if mongoURI != "" || e.MongoDB && e.Chosen {
		for _, what := range embeddedAlone(s) {
			missing = append(missing, fmt.Errorf("%s: %s: only the embedded database can do that; leave --mongo, --mongod and --mongo-image (MONGO_IMAGE) out", s.Name, what))
		}
	}
	if mongoURI != "" && s.Stack.Members > 0 {
		missing = append(missing, fmt.Errorf("%s: stack.mongo.members %d: members are started, and what is at --mongo is there already; leave --mongo out, or have a --mongod or a --mongo-image started", s.Name, s.Stack.Members))
	}
	if mongoURI != "" {
		for _, fault := range s.FaultsThatNeed(script.OwnDatabase) {
			missing = append(missing, fmt.Errorf("%s: fault %s: it is done to a database that the run has started; leave --mongo out", s.Name, fault))
		}
	}
	return missing
}

// Preflight looks for what each scenario needs, and tells all that is missing before the
// first begins. It gives what was found, or what is missing, by the scenario's place.
func Preflight(all []script.Scenario, look func([]script.Scenario) (Environment, error), tell func(error)) ([]Environment, []error) {
	have, missing := make([]Environment, len(all)), make([]error, len(all))
	together, err := look(all)
	if err == nil {
		for i := range have {
			have[i] = together.For(all[i])
		}
		return have, missing
	}
	able := 0
	for i := range all {
		if have[i], missing[i] = look(all[i : i+1]); missing[i] == nil {
			able++
		}
		have[i] = have[i].For(all[i])
	}
	tell(err)
	if able > 0 {
		tell(fmt.Errorf("%d of %d scenarios cannot be run; the others are", len(all)-able, len(all)))
	}
	return have, missing
}

// recordsDir is the folder of records whose place nobody chose.
const recordsDir = "runs"

// Writable tells whether records can be written at out (empty: where they are when
// nobody chose), by making the directory and a file in it.
func Writable(out string) error {
	if out == "" {
		out = recordsDir
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("--out %s: cannot make the directory: %w; choose another", out, err)
	}
	probe, err := os.CreateTemp(out, ".probe-")
	if err != nil {
		return fmt.Errorf("--out %s: cannot write into it: %w; choose another", out, err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}
