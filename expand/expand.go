// Package expand replaces the templates in what an instance is told: the words
// of its command, the values of its environment, its files. They stand for what
// is known only once a platform has found a place for the instance.
//
// It is a package of its own, beside platforms and scenarios, so that whoever
// reads a scenario and whoever starts its instances agree about what expands.
package expand

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Site is where an instance is: what templates can name, as {{.Name}} and the
// like, {{.Ports.NAME}} and {{.Port}}.
type Site struct {
	Name, Host, Dir string
	Address         string // where others reach it, which members of a database tell each other
	Ports           map[string]int
	// StatsD is where an agent is to send its lines on to, host:port; empty for all else.
	StatsD string
	// OTLP is where an agent is to push by OTLP, http://host:port, where it does.
	OTLP string
}

// StatsDHost and StatsDPort are the parts of StatsD, for {{.StatsDHost}} and {{.StatsDPort}}.
func (s Site) StatsDHost() (string, error) { return s.statsd(0) }

// StatsDPort is described at StatsDHost.
func (s Site) StatsDPort() (string, error) { return s.statsd(1) }

func (s Site) statsd(part int) (string, error) {
	host, port, err := net.SplitHostPort(s.StatsD)
	if err != nil {
		return "", errors.New("only an agent sends on")
	}
	return [...]string{host, port}[part], nil
}

// Fields names what a template of a site with an only port http can have.
const Fields = "{{.Port}}, {{.Host}}, {{.Name}}, {{.Dir}}, {{.Ports.http}}"

// Port is the number of the main port; a method because there may be none.
func (s Site) Port() (int, error) {
	name, ok := MainPort(s.Ports)
	if !ok {
		return 0, fmt.Errorf("which port? have %s; use {{.Ports.NAME}}, or call one http", PortNames(s.Ports))
	}
	return s.Ports[name], nil
}

// MainPort is the name of the port that is meant when none is named: "http", or
// the only one. It is false when there is none or no way to tell.
func MainPort(ports map[string]int) (string, bool) {
	if _, ok := ports["http"]; ok {
		return "http", true
	}
	if len(ports) == 1 {
		for name := range ports {
			return name, true
		}
	}
	return "", false
}

// PortNames lists the names of ports.
func PortNames(ports map[string]int) string {
	if len(ports) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(ports)), ", ")
}

// Parse tells whether text could be expanded somewhere; the error says why not.
func Parse(text string) error {
	_, err := read(text)
	return err
}

// Text replaces the templates in text.
func Text(text string, at Site) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := read(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := t.Execute(&out, at); err != nil {
		return "", plain(err)
	}
	return out.String(), nil
}

// read parses text, and refuses all of text/template that is more than a name:
// a loop or a width in printf would let a line of a scenario take all memory.
func read(text string) (*template.Template, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, plain(err)
	}
	if slices.ContainsFunc(t.Templates(), func(t *template.Template) bool { return t.Name() != "" }) || t.Tree == nil {
		return nil, errors.New("only names like {{.Port}} are replaced, nothing can be defined")
	}
	for _, n := range t.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
		case *parse.ActionNode:
			if !simple(n.Pipe) {
				return nil, fmt.Errorf("only names like {{.Port}} are replaced, not %s", n)
			}
		default:
			return nil, fmt.Errorf("only names like {{.Port}} are replaced, not %s", n)
		}
	}
	return t, nil
}

// simple tells whether a pipeline is a field or a text, like {{"{{"}}.
func simple(p *parse.PipeNode) bool {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return false
	}
	switch p.Cmds[0].Args[0].Type() {
	case parse.NodeField, parse.NodeString:
		return true
	}
	return false
}

var preamble = regexp.MustCompile(`^template: :\d+(?::\d+)?: (?:executing "" at <[^>]*>: )?(?:error calling \w+: )?`)

// plain leaves out of an error of text/template what is about templates.
func plain(err error) error {
	text := preamble.ReplaceAllString(err.Error(), "")
	return errors.New(strings.ReplaceAll(text, " in type expand.Site", ""))
}
