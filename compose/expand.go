package compose

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"throughline/expand"
)

// MainPort is the name of the port an instance is meant by when none is named:
// "http", or the only one. It is false when there is none or no way to tell.
func (i Instance) MainPort() (string, bool) { return expand.MainPort(i.Ports) }

// ProbePort is the name of the port that readiness is asked at by a connection; empty
// when the instance has no ports at all, or datagrams alone tell.
func (i Instance) ProbePort() (string, error) {
	if of := i.Ready.Datagrams; of != "" {
		if _, ok := i.Ports[of]; !ok {
			return "", fmt.Errorf("%s: the readiness probe sends datagrams to port %q, which it does not have (have %s)", i.Name, of, expand.PortNames(i.Ports))
		}
		if i.Ready.Port == "" && i.Ready.Path == "" {
			return "", nil
		}
	}
	if i.Ready.Port != "" {
		if _, ok := i.Ports[i.Ready.Port]; !ok {
			return "", fmt.Errorf("%s: the readiness probe asks port %q, which it does not have (have %s)",
				i.Name, i.Ready.Port, expand.PortNames(i.Ports))
		}
		return i.Ready.Port, nil
	}
	name, ok := i.MainPort()
	switch {
	case ok:
		return name, nil
	case len(i.Ports) > 0:
		return "", fmt.Errorf("%s: which of the ports %s says that it is ready? name it in the probe, or call one http",
			i.Name, expand.PortNames(i.Ports))
	case i.Ready.Path != "":
		return "", fmt.Errorf("%s: a readiness probe for %s needs a port", i.Name, i.Ready.Path)
	}
	return "", nil
}

// A name goes into file names, host names and HAProxy's commands.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// Validate finds what no platform could start, all of it at once. Templates
// are read, not expanded.
func (i Instance) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{i.Name}, args...)...))
	}
	if !validName.MatchString(i.Name) {
		return fmt.Errorf("instance name %q: use 1 to 63 letters, digits, '-', '_' and '.', starting with a letter or digit", i.Name)
	}
	if err := i.Program.validate(); err != nil {
		bad("%w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(i.Env)) {
		if key == "" || strings.ContainsAny(key, "=\x00") {
			bad("environment variable %q: not a name", key)
		}
		if strings.ContainsRune(i.Env[key], 0) {
			bad("environment variable %s: holds a zero byte", key)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Ports)) {
		if port := i.Ports[name]; port < 0 || port > 65535 {
			bad("port %s: %d is not a port; use 1 to 65535, or 0 for any free one", name, port)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
			bad("file %q: give a plain file name, without a folder", name)
		}
	}
	if i.Stop < 0 {
		bad("stop %v: give a positive duration, or 0 for %v", i.Stop, DefaultStop)
	}
	if i.Ready.Within < 0 {
		bad("ready within %v: give a positive duration, or 0 for %v", i.Ready.Within, DefaultReadyWithin)
	}
	if i.Ready.Path != "" && !strings.HasPrefix(i.Ready.Path, "/") {
		bad("readiness path %q: start it with /", i.Ready.Path)
	}
	if _, err := i.ProbePort(); err != nil {
		errs = append(errs, err)
	}
	if _, err := i.texts(parse); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p Program) validate() error {
	switch {
	case len(p.Self) > 0 && len(p.Command) > 0:
		return errors.New("has both a subcommand and a command; give one")
	case len(p.Self) > 0:
		return nil
	case len(p.Command) == 0 || p.Command[0] == "":
		return errors.New("has nothing to execute; give a command")
	}
	return nil
}

// Literal gives the template that expands to the text as it is.
func Literal(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return "{{" + strconv.Quote(text) + "}}"
}

// Place is where a platform puts an instance: what its templates can name.
type Place struct {
	Host string // address to listen on
	// Address is where others reach it; empty: that is Host.
	Address string
	Dir     string // the instance's own directory, as the instance sees it
}

// Expand returns the instance with every template replaced. Its Ports must
// hold the numbers that the platform chose.
func (i Instance) Expand(at Place) (Instance, error) {
	site := expand.Site{Name: i.Name, Host: at.Host, Address: cmp.Or(at.Address, at.Host), Dir: at.Dir, Ports: i.Ports, StatsD: i.StatsD, OTLP: i.OTLP}
	return i.texts(func(text string) (string, error) { return expand.Text(text, site) })
}

func parse(text string) (string, error) { return text, expand.Parse(text) }

// texts returns a copy of the instance whose templates went through f.
func (i Instance) texts(f func(text string) (string, error)) (Instance, error) {
	var errs []error
	do := func(where, text string) string {
		if !strings.Contains(text, "{{") {
			return text
		}
		out, err := f(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", i.Name, where, err))
		}
		return out
	}
	list := func(where string, texts []string) []string {
		out := slices.Clone(texts)
		for n := range out {
			out[n] = do(fmt.Sprintf("%s %d", where, n+1), out[n])
		}
		return out
	}
	table := func(where string, texts map[string]string) map[string]string {
		out := maps.Clone(texts)
		for _, name := range slices.Sorted(maps.Keys(out)) {
			out[name] = do(where+" "+name, out[name])
		}
		return out
	}
	i.Program.Self = list("argument", i.Program.Self)
	i.Program.Command = list("word of the command", i.Program.Command)
	i.Program.Dir = do("working directory", i.Program.Dir)
	i.Env = table("environment variable", i.Env)
	i.Files = table("file", i.Files)
	return i, errors.Join(errs...)
}
