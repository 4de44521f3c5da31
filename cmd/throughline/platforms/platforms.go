// Package platforms is the one table of what can run instances. An entry joins a
// platform of compose with what scenarios need of it: it says what the platform lacks,
// looks for what has to be there before anything starts, and gives a
// trial.Environment.
//
// A new platform is a file here and an entry of [All]; a word of it is nowhere else. It
// starts no instance itself, and reads no flag: the command line calls it with [Options].
package platforms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// Platform is all that this program knows of a platform.
type Platform struct {
	Name, About string
	Lacks       trial.Lacks
	// Prepare is called once, when the program begins; nil: nothing is to be done.
	Prepare func()
	// Guard ends what a killed runner leaves behind, from a process on this machine; nil: somebody elsewhere does.
	Guard func(io.Reader, io.Writer) error

	refuses func(Options) error // what has no meaning on it; nil: nothing
	// look finds what scenarios need of it, and all that is missing besides Lacks.
	look func(context.Context, []script.Scenario, Options) (trial.Environment, []error)
}

// Options are what a user may choose beside the platform.
type Options struct {
	HAProxy  string // the binary; empty: it is found
	MongoURI string // of a MongoDB that is there already; empty: one is started
	Mongod   string // the binary of one that is started; empty: the embedded database is, or what the platform has
	Own      string // a host that may be put under load although it is public, for stacks that are there already; empty: none
	// MongoImage is the image of one that is started; empty: MONGO_IMAGE of the environment, or what the platform has.
	MongoImage string
	Kubernetes Kubernetes
	Out        string // where the records go; empty: where they go when nobody chose
}

// All is the table; the first is what runs instances unless another is named.
func All() []Platform { return []Platform{onLocal(), onDocker(), onKubernetes()} }

// Names are those of All.
func Names() (names []string) {
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Find finds an entry of the table. The error begins with the name.
func Find(name string) (Platform, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Platform{}, fmt.Errorf("%s: no such platform (have %s)", name, strings.Join(Names(), ", "))
}

// Refuses says which option has no meaning on the platform.
func (p Platform) Refuses(o Options) error {
	if p.refuses == nil {
		return nil
	}
	return p.refuses(o)
}

// Preflight gives what scenarios run in, or lists all that is missing in one error. It
// starts nothing.
func (p Platform) Preflight(ctx context.Context, all []script.Scenario, o Options) (trial.Environment, error) {
	var missing []error
	for _, s := range all {
		missing = append(missing, p.Lacks.Of(s)...)
	}
	there, ours := apart(all)
	var have trial.Environment
	var absent []error
	if len(ours) > 0 || len(there) == 0 {
		have, absent = p.look(ctx, ours, o)
	}
	have.Platform = p.Name
	missing = append(missing, absent...)
	if len(there) > 0 {
		standing, absent := lookThere(ctx, there, o)
		have.Standing, missing = &standing, append(missing, absent...)
	}
	for _, s := range ours {
		missing = append(missing, have.DatabaseLacks(s, o.MongoURI)...)
	}
	return have, errors.Join(append(missing, trial.Writable(o.Out))...)
}

// OwnFile is the path of this program, which is also what instances and guards run.
func OwnFile() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's own file: %w", err)
	}
	return self, nil
}
