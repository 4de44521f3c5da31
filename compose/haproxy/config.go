// Package haproxy is the load balancer of the stack: its configuration, its
// Runtime API and its statistics.
//
// It is not a platform and starts nothing: Instance says what a platform shall
// start, Runtime then adds and removes servers and reads what HAProxy counted.
// The command line, scenarios/run and scenarios/fault call it. Supported are HAProxy 2.6 to 3.x;
// 2.6 is the first long-term release in which servers can be added at run time
// with health checks and without experimental mode.
//
// # What the configuration promises
//
// One HTTP frontend, fe_main, passes everything to one backend, be_web, but for
// the paths that Config.Backends have. Backends start empty; all servers come
// through the Runtime API, so that one added later is in nothing different from
// the first. Only with Config.Resolve do they come from DNS.
//
// Every answer that an instance gave carries X-Served-By with the name of the
// server, whatever the instance itself said there. An answer that HAProxy made
// (502, 503, 504, 408, …) carries none. Requests reach the instance unchanged,
// X-Request-Id included, but for X-Served-By, which is taken off.
//
// A connection that is not established within 250 ms (a killed container answers
// nothing, not even with a reset) is retried up to three times, the last time on
// another server (option redispatch). A request that was sent is
// never repeated: retry-on is left at its default, conn-failure, unless
// Config.RetryAll asks for it.
//
// SIGTERM ends HAProxy at once and cuts what is in flight; SIGUSR1, the soft
// stop, is not among the signals of a platform. Stop the load first.
package haproxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"

	"throughline/compose"
	"throughline/scratch"
)

// ConnectTimeout is how long a connection to an instance may take to be established.
const ConnectTimeout = 250 * time.Millisecond

// Names in the configuration, and so in the statistics.
const (
	Frontend    = "fe_main"
	Backend     = "be_web"      // of all requests that are no other's
	ServedBy    = "X-Served-By" // response header: the server that answered
	HTTPPort    = "http"        // name of the instance's port for users
	RuntimePort = "runtime"     // name of the instance's port for the Runtime API
	CheckAgent  = "throughline-check"
	configFile  = "haproxy.cfg"
	// With no pool HAProxy would open a connection for every request to a
	// server that was added at run time.
	serverOptions = "check inter 200ms fall 2 rise 1 pool-max-conn -1 pool-purge-delay 5s"
)

// Pool is a further backend, beside be_web.
type Pool struct {
	Name       string // see BackendOf
	HealthPath string // asked by the health checks; empty = /healthz
	Paths      []Path // whose requests it gets; each path has one owner
}

// Path is the path of requests, or with Prefix what it begins with.
type Path struct {
	Text   string
	Prefix bool
}

// Match is how HAProxy compares it. Source: https://docs.haproxy.org/2.6/configuration.html#7.1.3
func (p Path) Match() string {
	if p.Prefix {
		return "beg"
	}
	return "str"
}

// BackendOf is the name of the backend of a role's servers: that of "web" is be_web.
func BackendOf(role string) string { return "be_" + role }

// Config is what can be set. The zero value is usable.
type Config struct {
	HealthPath    string        // asked by the health checks of be_web; empty = /healthz
	Backends      []Pool        // beside be_web
	CheckTimeout  time.Duration // for the answer of a health check; 0 = 1 s
	ClientTimeout time.Duration // silence of a client; 0 = 30 s
	ServerTimeout time.Duration // silence of a server before HAProxy answers 504; 0 = 30 s
	Threads       int           // 0 = 1
	MaxConn       int           // concurrent connections; 0 = what the file limit allows, up to about 10,000
	// Log is where a line is sent over UDP for each request that has ended,
	// IP:port; see ParseLog. Health checks are no requests. Empty = nowhere.
	Log string
	// Resolve is a name and a port, "web:8080", under which Docker's DNS knows
	// all servers there are: for a stack whose scale is set by others. They
	// come and go in Slots places, web-1, web-2, …: a place is used again, so
	// its name is not an instance's. Empty = servers are added by the Runtime.
	Resolve  string
	RetryAll bool // send requests again that a server may have executed (retry-on all-retryable-errors)
	// Master: run in master-worker mode, so that it can be reloaded; the port
	// "runtime" is then that of the master, for NewMaster.
	Master bool
	// Proxied: servers are proxies, which put ServedBy on what the instance behind them answered and on nothing else.
	// What they answer themselves is then told from that: it carries no ServedBy, and is no answer in the log.
	Proxied bool
}

// Slots is how many servers Config.Resolve has room for.
const Slots = 10

var configText = template.Must(template.New(configFile).Parse(`global
{{- if not .Master}}
    # A TCP socket, because the path of a UNIX one is limited to 108 bytes and
    # does not reach out of a container.
    stats socket ipv4@{{.Runtime}} level admin
{{- end}}
    stats timeout 30s
    stats maxconn 64
    nbthread {{.Threads}}
    fd-hard-limit 20000
{{- if .MaxConn}}
    maxconn {{.MaxConn}}
{{- end}}

defaults
    mode http
    option http-keep-alive
    option redispatch
    retries 3
{{- if .RetryAll}}
    retry-on all-retryable-errors
{{- end}}
    timeout connect {{.ConnectTimeout}}ms
    timeout check {{.CheckTimeout}}ms
    timeout client {{.ClientTimeout}}ms
    timeout server {{.ServerTimeout}}ms

frontend {{.Frontend}}
    bind {{.HTTP}}
    http-request del-header {{.ServedBy}}
    # A connection on which nothing was sent is no request: HTTP clients open
    # spare ones, and HAProxy would count each as a bad request when it closes.
    option http-ignore-probes
{{- if .Log}}
    log {{.Log}} len {{.LogLineLength}} format raw local0
    log-format '{{.LogFormat}}'
    capture request header X-Request-Id len {{.LogIDLength}}
    http-response set-var(txn.answered) int(1){{.IfServed}}
{{- end}}
{{- range .Further}}
{{- $name := .Name}}
{{- range .Paths}}
    acl to_{{$name}} path -m {{.Match}} {{.Text}}
{{- end}}
    use_backend {{.Name}} if to_{{.Name}}
{{- end}}
    default_backend {{.Backend}}

{{if .Resolve -}}
# Docker's own DNS. A container that is gone leaves it at once.
resolvers docker
    nameserver dns 127.0.0.11:53
    accepted_payload_size 8192
    resolve_retries 2
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    hold obsolete 0s
    hold nx 1s

{{end -}}
# A server is added through the Runtime API, which needs a dynamic balancing
# algorithm{{if .Resolve}}, or comes from DNS{{end}}.
{{- range $i, $each := .All}}
{{- if $i}}
{{/* an empty line between them */}}
{{- end}}
backend {{.Name}}
    balance roundrobin
    option httpchk
    http-check send meth GET uri {{.HealthPath}} ver HTTP/1.1 hdr Host localhost hdr User-Agent {{$.CheckAgent}}
    http-response set-header {{$.ServedBy}} %s{{$.IfServed}}
{{- if and $.Resolve (eq $i 0)}}
    server-template web- {{$.Slots}} {{$.Resolve}} {{$.ServerOptions}} resolvers docker init-addr none
{{- end}}
{{- end}}
`))

// Render gives the configuration file that listens at the two addresses, each
// host:port. Templates of compose.Instance may stand for them.
func (c Config) Render(http, runtime string) (string, error) {
	all, err := c.pools()
	if err != nil {
		return "", err
	}
	for name, addr := range map[string]string{HTTPPort: http, RuntimePort: runtime} {
		if !strings.Contains(addr, ":") || strings.ContainsAny(addr, "\n\r") {
			return "", fmt.Errorf("haproxy: %s address %q: give host:port", name, addr)
		}
	}
	if _, err := netip.ParseAddrPort(c.Log); err != nil && c.Log != "" {
		return "", fmt.Errorf("haproxy: log address %q: give an IP address and a port: %w", c.Log, err)
	}
	if c.Threads < 0 || c.MaxConn < 0 || c.CheckTimeout < 0 || c.ClientTimeout < 0 || c.ServerTimeout < 0 {
		return "", errors.New("haproxy: a negative number of threads, connections or time")
	}
	if _, _, err := net.SplitHostPort(c.Resolve); c.Resolve != "" && (err != nil || strings.ContainsFunc(c.Resolve, notInWord)) {
		return "", fmt.Errorf("haproxy: name to resolve %q: give name:port, such as web:8080", c.Resolve)
	}
	millis := func(d, unset time.Duration) int64 {
		if d == 0 {
			d = unset
		}
		return max(1, d.Milliseconds())
	}
	ifServed := ""
	if c.Proxied {
		ifServed = " if { res.hdr(" + ServedBy + ") -m found }"
	}
	var b strings.Builder
	err = configText.Execute(&b, map[string]any{
		"IfServed": ifServed,
		"HTTP":     http, "Runtime": runtime, "Frontend": Frontend, "Backend": Backend,
		"ServedBy": ServedBy, "CheckAgent": CheckAgent, "All": all, "Further": all[1:],
		"Threads": max(1, c.Threads), "MaxConn": c.MaxConn, "RetryAll": c.RetryAll, "Master": c.Master,
		"Log": c.Log, "LogFormat": logFormat, "LogIDLength": LogIDLength, "LogLineLength": LogLineLength,
		"Resolve": c.Resolve, "Slots": Slots, "ServerOptions": serverOptions,
		"ConnectTimeout": ConnectTimeout.Milliseconds(),
		"CheckTimeout":   millis(c.CheckTimeout, time.Second),
		"ClientTimeout":  millis(c.ClientTimeout, 30*time.Second),
		"ServerTimeout":  millis(c.ServerTimeout, 30*time.Second),
	})
	if err != nil {
		return "", fmt.Errorf("haproxy: %w", err)
	}
	return b.String(), nil
}

// pools are all backends, be_web first, as the configuration can have them.
func (c Config) pools() ([]Pool, error) {
	all := append([]Pool{{Name: Backend, HealthPath: c.HealthPath}}, c.Backends...)
	named := map[string]bool{}
	for i := range all {
		p := &all[i]
		p.HealthPath = cmp.Or(p.HealthPath, "/healthz")
		if !strings.HasPrefix(p.HealthPath, "/") || strings.ContainsFunc(p.HealthPath, notInWord) {
			return nil, fmt.Errorf("haproxy: health path %q: give an absolute path without spaces, quotes, # or \\", p.HealthPath)
		}
		if !serverName.MatchString(p.Name) || named[p.Name] {
			return nil, fmt.Errorf("haproxy: backend %q: give each a name of its own, of letters, digits, '-', '_', '.' and ':'", p.Name)
		}
		named[p.Name] = true
		for _, path := range p.Paths {
			if !strings.HasPrefix(path.Text, "/") || strings.ContainsFunc(path.Text, notInWord) {
				return nil, fmt.Errorf("haproxy: path %q of backend %s: give an absolute path without spaces, quotes, # or \\", path.Text, p.Name)
			}
		}
		if i > 0 && len(p.Paths) == 0 {
			return nil, fmt.Errorf("haproxy: backend %s: it has no path, so that no request would come to it; leave it out", p.Name)
		}
	}
	return all, nil
}

// notInWord finds what would end or change a word of HAProxy's configuration.
func notInWord(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`"'#\$`, r)
}

// Instance is what a platform starts: binary in the foreground, with ports
// "http" and "runtime", ready when the Runtime API accepts a connection (it
// asks there because a connection to the frontend would be counted).
func (c Config) Instance(name, binary string) (compose.Instance, error) {
	text, err := c.Render("{{.Host}}:{{.Ports.http}}", "{{.Host}}:{{.Ports.runtime}}")
	if err != nil {
		return compose.Instance{}, err
	}
	command := append([]string{binary}, c.arguments("{{.Dir}}/"+configFile, "{{.Host}}:{{.Ports.runtime}}")...)
	return compose.Instance{
		Name:    name,
		Program: compose.Program{Command: command},
		Ports:   map[string]int{HTTPPort: 0, RuntimePort: 0},
		Files:   map[string]string{configFile: text},
		Ready:   compose.Probe{Port: RuntimePort},
	}, nil
}

// arguments start HAProxy with the configuration file in the foreground.
func (c Config) arguments(file, runtime string) []string {
	if c.Master {
		return []string{"-db", "-W", "-S", runtime, "-f", file}
	}
	return []string{"-db", "-f", file}
}

// Release is a version of HAProxy.
type Release struct {
	Major, Minor int
	Text         string // in full: "2.6.12-1+deb12u4"
}

var versionLine = regexp.MustCompile(`(?m)^HA-?Proxy version ((\d+)\.(\d+)\S*)`)

// Version asks the binary, which is a path or a name on PATH, and refuses what
// is older than 2.6.
func Version(ctx context.Context, binary string) (Release, error) {
	out, err := exec.CommandContext(ctx, binary, "-v").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return Release{}, fmt.Errorf("haproxy: %q is not on PATH; install HAProxy 2.6 or newer: %w", binary, err)
	}
	if err != nil {
		return Release{}, fmt.Errorf("haproxy: %s -v: %w: %s", binary, err, firstLine(string(out)))
	}
	return parseVersion(binary, string(out))
}

func parseVersion(binary, out string) (Release, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return Release{}, fmt.Errorf("haproxy: %s -v says %q: it is not HAProxy", binary, firstLine(out))
	}
	r := Release{Text: m[1]}
	var bad [2]error
	r.Major, bad[0] = strconv.Atoi(m[2])
	r.Minor, bad[1] = strconv.Atoi(m[3])
	if err := errors.Join(bad[:]...); err != nil {
		return Release{}, fmt.Errorf("haproxy: %s: version %s: %w", binary, r.Text, err)
	}
	if r.Major < 2 || r.Major == 2 && r.Minor < 6 {
		return r, fmt.Errorf("haproxy: %s is version %s, which cannot add servers at run time; install 2.6 or newer", binary, r.Text)
	}
	return r, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// Check lets the binary read the configuration text and gives its objections.
func Check(ctx context.Context, binary, text string) error {
	dir, err := scratch.New("haproxy")
	if err != nil {
		return fmt.Errorf("haproxy: check configuration: %w", err)
	}
	defer func() { _ = dir.Remove() }() // else the next check does
	path := filepath.Join(dir.Path, configFile)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("haproxy: check configuration: %w", err)
	}
	out, err := exec.CommandContext(ctx, binary, "-c", "-f", path).CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("haproxy: check configuration: %w", context.Cause(ctx))
	}
	if said := objections(string(out), path); said != "" {
		return fmt.Errorf("haproxy refuses its configuration: %s", said)
	}
	return fmt.Errorf("haproxy: check configuration: %s: %w: %s", binary, err, strings.TrimSpace(string(out)))
}

var alert = regexp.MustCompile(`^\[ALERT\]\s*(?:\(\d+\)|[^:]*)\s*:\s*(?:config\s*:\s*)?(?:parsing\s*)?(.*)$`)

// objections keeps the alerts of `haproxy -c`, such as
//
//	[ALERT]    (123) : config : parsing [/tmp/x/haproxy.cfg:7] : unknown keyword 'foo' in 'global' section
//
// and drops the closing ones, which only say that there were some.
func objections(out, path string) string {
	var said []string
	for line := range strings.Lines(out) {
		m := alert.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || strings.HasPrefix(m[1], "Error(s) found") || strings.HasPrefix(m[1], "Fatal errors found") {
			continue
		}
		said = append(said, strings.ReplaceAll(m[1], path, configFile))
	}
	return strings.Join(said, "; ")
}
