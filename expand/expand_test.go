package expand

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	at := Site{Name: "web-1", Host: "127.0.0.1", Dir: "/d", Ports: map[string]int{"http": 80, "admin": 81}}
	for _, c := range []struct{ text, want, err string }{
		{"plain {", "plain {", ""},
		{"{{.Name}} {{.Host}}:{{ .Port }} {{.Ports.admin}} {{.Dir}}/x{{/* said */}}", "web-1 127.0.0.1:80 81 /d/x", ""},
		{`{{"{{"}}.Port}}`, "{{.Port}}", ""},
		{"{{.Nope}}", "", "can't evaluate field Nope"},
		{"{{.Ports.nope}}", "", `map has no entry for key "nope"`},
		{"{{.Port", "", "unclosed action"},
		{"{{nope}}", "", `function "nope" not defined`},
		{"{{range 1000000000000}}{{end}}", "", "only names like {{.Port}} are replaced, not {{range"},
		{`{{printf "%1000000d" .Port}}`, "", "only names like {{.Port}} are replaced, not {{printf"},
		{"{{.Name | html}}", "", "only names like {{.Port}} are replaced, not {{.Name | html}}"},
		{"{{$x := .Name}}", "", "only names like {{.Port}} are replaced, not {{$x := .Name}}"},
		{`{{define "a"}}{{template "a"}}{{end}}`, "", "only names like {{.Port}} are replaced, nothing can be defined"},
		{`x{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, "", "only names like {{.Port}} are replaced, nothing can be defined"},
		{`x{{template "a"}}`, "", "only names like {{.Port}} are replaced, not {{template"},
		{"{{.}}", "", "only names like {{.Port}} are replaced, not {{.}}"},
	} {
		got, err := Text(c.text, at)
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%s: %q, %v; want %q", c.text, got, err, c.want)
		case c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)):
			t.Errorf("%s: %q, error %v; want one that begins with %q", c.text, got, err, c.err)
		}
	}
	at.Ports = map[string]int{"a": 1, "b": 2}
	if _, err := Text("{{.Port}}", at); err == nil || err.Error() != "which port? have a, b; use {{.Ports.NAME}}, or call one http" {
		t.Errorf("error %v", err)
	}
	at.Ports = map[string]int{"a": 1}
	if got, err := Text("{{.Port}}", at); got != "1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
