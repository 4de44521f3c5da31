// Package httpd is the Apache HTTP server that stands before a web instance: its configuration, its
// status page, its access log, and what is done to its processes.
//
// It is not a platform and starts nothing: Config.Instance says what a platform shall start, Status reads what it
// counted, ParseLog a line of its log, and Control reloads, limits and crashes it. scenarios/run calls it, and
// hands a Control to scenarios/fault.
//
// # What the configuration promises
//
// Everything but StatusPath is passed on to the instance by mod_proxy_http, with paths as they came. An answer that the
// instance gave carries X-Served-By with the instance's name, whatever it said there itself. An answer that httpd made
// (503 where the instance refuses connections, 502 where it ended without an answer) carries none: mod_headers
// leaves out what is not set for errors too. A request is never sent twice.
//
// Each request that has ended is a line of the access log, on standard output; health checks and looks at the status page
// are told apart. SIGTERM ends all processes at once, and a user may lose the answer to what is executed: take it
// off the load balancer first.
package httpd

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"text/template"
	"time"
	"unicode"

	"throughline/compose"
)

// Names that others rely on.
const (
	// StatusPath is where mod_status tells its numbers; the instance's own page of that path is not reached.
	StatusPath = "/server-status"
	// ServedBy is the response header with the name of the instance that answered.
	ServedBy = "X-Served-By"
	// HTTPPort is the name of the instance's port.
	HTTPPort   = "http"
	configFile = "httpd.conf"
)

// The workers of a server without a limit.
const (
	threads = 25
	workers = 100
)

// Config is how one httpd is set up.
type Config struct {
	Serves  string // the name of the instance behind it: "web-2"
	Backend string // where that is reached, host:port
	Modules string // directory of the modules, see Program
	// Checker is the User-Agent of health checks, whose lines in the log are told apart.
	Checker string
	// Dir is a directory that outlives the process, where Control finds its number and leaves limits; empty: nobody
	// controls it.
	Dir string
	// Connect is how long the instance may take to accept a connection; 0: as long as the kernel tries. Where an instance
	// that is gone refuses none, its address answers nothing, and who asks for it waits.
	Connect time.Duration
}

var configText = template.Must(template.New(configFile).Parse(`ServerRoot "{{.Home}}"
DefaultRuntimeDir "{{.Home}}"
PidFile "{{.PID}}"
ServerName {{.Serves}}
Listen {{.Listen}}
# Without root the numbers mean nothing.
User "#65534"
Group "#65534"
ServerTokens Prod

{{range .Load}}<IfModule !{{.}}_module>
    LoadModule {{.}}_module "{{$.Modules}}/mod_{{.}}.so"
</IfModule>
{{end}}
StartServers 1
MinSpareThreads 25
MaxSpareThreads 100
ThreadsPerChild {{.Threads}}
MaxRequestWorkers {{.Workers}}

Timeout 60
# HAProxy gives idle connections up first: one that is closed from here may have a request on its way.
KeepAliveTimeout 60
MaxKeepAliveRequests 0

ErrorLog "/dev/stderr"
LogLevel warn
LogIOTrackTTFB ON
SetEnvIf User-Agent "^{{.Checker}}$" kind=check
SetEnvIf Request_URI "^{{.Status}}$" kind=status
LogFormat "{{.Format}}" access
CustomLog "/dev/stdout" access

Header set {{.ServedBy}} {{.Serves}}
AllowEncodedSlashes NoDecode
ProxyPass "{{.Status}}" "!"
ProxyPass "/" "http://{{.Backend}}/" nocanon retry=0{{.Connect}}
<Location "{{.Status}}">
    SetHandler server-status
    Header unset {{.ServedBy}}
</Location>
{{if .Limit}}IncludeOptional "{{.Limit}}"
{{end}}`))

// modules are those that the configuration needs; some are a part of the program itself, as its builder wished.
var modules = []string{"unixd", "log_config", "logio", "mpm_event", "authz_core", "setenvif", "headers", "proxy", "proxy_http", "status"}

// Render gives the configuration file that listens at an address, host:port, and keeps its own files in a directory. Templates
// of compose.Instance may stand for both.
func (c Config) Render(listen, home string) (string, error) {
	for what, word := range map[string]string{"instance": c.Serves, "backend": c.Backend, "directory of modules": c.Modules, "checker": c.Checker} {
		if word == "" || strings.ContainsFunc(word, notInWord) {
			return "", fmt.Errorf("httpd: %s %q: give a word without spaces, quotes, $ or \\", what, word)
		}
	}
	if strings.ContainsFunc(c.Dir, notInPath) {
		return "", fmt.Errorf("httpd: directory %q: give a path without quotes, $ or \\", c.Dir)
	}
	if c.Connect < 0 {
		return "", fmt.Errorf("httpd: %v to connect: give a duration above 0", c.Connect)
	}
	pid, limit, connect := home+"/httpd.pid", "", ""
	if c.Connect > 0 {
		connect = fmt.Sprintf(" connectiontimeout=%dms", max(1, c.Connect.Milliseconds()))
	}
	if c.Dir != "" {
		control := c.Control("")
		pid, limit = compose.Literal(control.pidFile()), compose.Literal(control.limitFile())
	}
	var b strings.Builder
	err := configText.Execute(&b, map[string]any{
		"Home": home, "PID": pid, "Connect": connect, "Limit": limit, "Listen": listen, "Serves": c.Serves, "Backend": c.Backend, "Modules": compose.Literal(c.Modules),
		"Load": modules, "Threads": threads, "Workers": workers, "Checker": c.Checker, "Status": StatusPath,
		"ServedBy": ServedBy, "Format": compose.Literal(logFormat),
	})
	if err != nil {
		return "", fmt.Errorf("httpd: %w", err)
	}
	return b.String(), nil
}

// notInWord finds what would end or change a word of the configuration.
func notInWord(r rune) bool { return unicode.IsSpace(r) || notInPath(r) }

// notInPath finds what would change a quoted word of it.
func notInPath(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`"'$\`, r) }

// Instance is what a platform starts: the binary in the foreground, ready when it accepts a connection (which is no request,
// and counted nowhere).
func (c Config) Instance(name, binary string) (compose.Instance, error) {
	if binary == "" {
		return compose.Instance{}, errors.New("httpd: no binary; give its path")
	}
	text, err := c.Render("{{.Host}}:{{.Port}}", "{{.Dir}}")
	if err != nil {
		return compose.Instance{}, err
	}
	return compose.Instance{
		Name:    name,
		Program: compose.Program{Command: []string{binary, "-D", "FOREGROUND", "-f", "{{.Dir}}/" + configFile}},
		Ports:   map[string]int{HTTPPort: 0},
		Files:   map[string]string{configFile: text},
		Ready:   compose.Probe{Port: HTTPPort},
	}, nil
}

// Control is that of the httpd with this configuration, which is reached at addr, host:port.
func (c Config) Control(addr string) Control {
	return Control{Serves: c.Serves, Addr: addr, Dir: path.Clean(c.Dir)}
}
