package script

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
)

// MetricsFrom is a Prometheus, or what answers like one, that scrapes the instances in the place of this run. What it has of them is read
// when the load is over.
type MetricsFrom struct {
	URL      string        // of its API, without /api/v1: http://prometheus.example:9090, https://mimir.example/prometheus
	Every    time.Duration // how often it scrapes an instance
	Lag      time.Duration // how long after a scrape what that brought can be read
	Instance string        // the label by whose value an instance is known
	Job      string        // of whose series alone the instances are; "": of any
}

// The key of a file, and that of the label where nothing else is said.
const (
	metricsFrom     = "metrics_from"
	defaultInstance = "instance"
)

// mostAsked and mostLag bound how seldom a server scrapes, and how far it may be behind: a run waits for both.
const mostAsked, mostLag = 5 * time.Minute, 10 * time.Minute

// jobName is the value of a label that nobody has to quote.
var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:@-]{0,127}$`)

// targetLabel is the name of a label as Prometheus has had it from the beginning.
var targetLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,127}$`)

// metricsFrom reads `metrics_from`, when the stack has been read: who is scraped is said there.
func (r *reader) metricsFrom(v value, s *Scenario) {
	m, ok := v.mapping("url", "every", "lag", "instance", "job")
	if !ok {
		return
	}
	m.require("url", "every")
	f := &MetricsFrom{Instance: defaultInstance}
	if v, ok := m.get("url"); ok {
		text := v.line("the URL of a Prometheus, like http://127.0.0.1:9090")
		if text != "" {
			if err := CheckServerURL(text); err != nil {
				v.failf("%v", err)
			}
		}
		f.URL = strings.TrimRight(text, "/")
	}
	if v, ok := m.get("every"); ok {
		if f.Every = v.duration(leastExport); f.Every > mostAsked {
			v.failf("%s is out of range: want %s to %s", show(f.Every), show(leastExport), show(mostAsked))
		}
	}
	f.Lag = m.duration("lag", 0, 0)
	if v, ok := m.get("lag"); ok && f.Lag > mostLag {
		v.failf("%s is out of range: want 0 to %s", show(f.Lag), show(mostLag))
	}
	if v, ok := m.get("instance"); ok {
		f.Instance = v.matching(targetLabel, "the name of a label, like instance or pod")
	}
	if v, ok := m.get("job"); ok {
		f.Job = v.matching(jobName, "the name of a job of the server's, like shop")
	}
	s.MetricsFrom = f
	r.askedThere(v, s)
}

// askedThere has the roles that are scraped be scraped as often as the server does it, and complains where there is none, or where
// somebody wants to know while the run goes on what is read after it.
func (r *reader) askedThere(v value, s *Scenario) {
	stack := &s.Stack
	if stack.External != nil {
		stack.Web.Metrics.Scrape = "/metrics"
	}
	scraped := false
	for _, w := range append([]*Web{&stack.Web}, pointers(stack.Others)...) {
		if w.Metrics.Scrape != "" {
			w.Metrics.Every, scraped = s.MetricsFrom.Every, true
		}
		if w.Metrics.HonorLabels {
			v.failf("a server scrapes the instances, and its own configuration says whose labels win: remove %s of %s", honorLabels, w.RoleName())
		}
	}
	switch {
	case stack.Agent.There():
		v.failf("the instances send StatsD lines to agents (stack.agent), and are not scraped: remove one of the two")
	case !scraped:
		v.failf("no instances are scraped, so no server has anything of them: say who is, with metrics: {scrape: /metrics} in stack.web")
	}
	if s.Autoscale != nil {
		r.failf(s.Autoscale.Pos, "an autoscaler asks while the run goes on, and what a server scrapes is read after it (%s): remove one of the two", metricsFrom)
	}
}

func pointers(all []Web) (out []*Web) {
	for i := range all {
		out = append(out, &all[i])
	}
	return out
}

// CheckServerURL tells what is wrong with the URL of a server; nil if nothing is. What it says has no secret in it that the URL may have.
func CheckServerURL(text string) error {
	const want = "want scheme and host, and whatever stands before /api/v1, like http://127.0.0.1:9090 or https://mimir.example/prometheus"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("this is no URL of a Prometheus: %s", want)
	case u.User != nil:
		return fmt.Errorf("%s: the URL has a user or a password in it, which would be in every record: leave them out, and give --metrics-http-config or --metrics-token-file", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: nothing can stand behind the path: %s", u.Host, want)
	case strings.Contains(u.Path+"/", "/api/v1/"):
		return fmt.Errorf("%s: leave out /api/v1 and what follows: %s", u.Host, want)
	}
	return nil
}

// WithMetricsFrom is the source of a file with a line at its end that has its metrics read from a server.
func WithMetricsFrom(file string, source []byte, f MetricsFrom) ([]byte, error) {
	parsed, err := parse(lexer.Tokenize(string(bytes.TrimPrefix(source, []byte(byteOrderMark)))))
	if err != nil || len(parsed.Docs) != 1 {
		return source, nil // Parse says what is wrong with it
	}
	root, ok := parsed.Docs[0].Body.(*ast.MappingNode)
	switch {
	case !ok:
		return source, nil
	case root.IsFlowStyle, bytes.Contains(source, []byte("\n...")):
		return nil, fmt.Errorf("%s: no line can be added to it: write %s into it", file, metricsFrom)
	case slices.ContainsFunc(root.Values, func(e *ast.MappingValueNode) bool { return plain(e.Key) == metricsFrom }):
		return nil, fmt.Errorf("%s: it has %s already: leave it out there, or leave out --metrics-from", file, metricsFrom)
	}
	var b bytes.Buffer
	b.Write(source)
	if !bytes.HasSuffix(source, []byte("\n")) {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s: {url: %q, every: %s, lag: %s, instance: %s", metricsFrom, f.URL, f.Every, f.Lag, f.Instance)
	if f.Job != "" {
		fmt.Fprintf(&b, ", job: %q", f.Job)
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}
