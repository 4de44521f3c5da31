package app

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
)

// Defect is one way in which the instrumentation can be wrong. What users get
// and what is in the database do not change, but where Service says so.
//
// A defect is deterministic: it strikes every nth time, or goes by the clock or
// by the instance's name.
type Defect struct {
	Name    string
	Entry   string // the known fault it stands for, by number: "F14"; empty where none fits
	About   string // one line
	Metric  string // the metric that is wrong, and what its harm is counted in
	Service string // what users or the database get wrong, one line; empty: nothing
	begin   beginning
}

// beginning makes a defect for one instance. It counts as harm what it
// does to the metric.
type beginning func(Config, *harm) (wrong, error)

// wrong is where a defect reaches into the app. What is nil stays right.
type wrong struct {
	options    func(*statsd.Options)                      // what the client is told
	wire       func(io.WriteCloser) io.WriteCloser        // between the client and its socket
	client     func(statsd.Client) (statsd.Client, error) // between the app and its client
	meter      func(statsd.Middleware) meter              // at the routes
	handler    func(http.Handler) http.Handler            // around all of them
	store      func(*mongoWords)                          // how the database is written
	words      func(Words) Words                          // between the routes and the database
	cpu        func() (time.Duration, error)              // what is told of CPU time
	stopping   func()                                     // what happens first when told to stop
	exposition func() *exposition                         // what is shown to a Prometheus
	export     exportWrong                                // what is wrong with what is pushed by OTLP
	harm       *harm                                      // nil without a defect
}

// meter measures routes; see statsd.Middleware, which is the right one.
type meter interface {
	Increment(name string) gin.HandlerFunc
	Timed(name string) gin.HandlerFunc
	InFlight(name string) gin.HandlerFunc
}

// The metrics that defects are about. The others stay right where a Defect's
// About does not say otherwise, so that a finding can only be about this one.
const (
	counted  = "fullstack.insert"
	timed    = "fullstack.insert.time"
	inFlight = "fullstack.inflight"
	cpuTime  = "fullstack.cpu.us"
)

// ListDefects tells of all defects, each in a line.
func ListDefects() string {
	var b strings.Builder
	for _, d := range Defects() {
		service := ""
		if d.Service != "" {
			service = " (the service: " + d.Service + ")"
		}
		fmt.Fprintf(&b, "  %-21s %s%s\n", d.Name, d.About, service)
	}
	return b.String()
}

// Defects lists what Config.Defect can be.
func Defects() []Defect {
	all := slices.Concat(exitDefects(), countDefects(), timeDefects(), lineDefects(), valueDefects(), serviceDefects(), answerDefects(), heldDefects(), cpuDefects(), exposedDefects(), exportDefects())
	for i := range all {
		if all[i].Metric == "" {
			all[i].Metric = counted
		}
	}
	return all
}

// findDefect looks a name up.
func findDefect(name string) (Defect, error) {
	var names []string
	for _, d := range Defects() {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Defect{}, fmt.Errorf("defect %s: no such defect (have %s)", name, strings.Join(names, ", "))
}

// start makes the defect for one instance.
func (d Defect) start(c Config) (wrong, error) {
	l := &harm{}
	w, err := d.begin(c, l)
	if err != nil {
		return wrong{}, fmt.Errorf("defect %s: %w", d.Name, err)
	}
	w.harm = l
	return w, nil
}

// onClient makes a defect that only wraps the client.
func onClient(wrap func(statsd.Client, *harm) statsd.Client) beginning {
	return func(_ Config, l *harm) (wrong, error) {
		return wrong{client: func(c statsd.Client) (statsd.Client, error) { return wrap(c, l), nil }}, nil
	}
}

// harm is what a defect did to its metric, next to what the service did: how
// many measurements it never got, and how many it got too much.
type harm struct{ dropped, extra atomic.Int64 }

// book notes that the metric got sent where it should have got due.
func (l *harm) book(sent, due int64) {
	if sent < due {
		l.dropped.Add(due - sent)
		return
	}
	l.extra.Add(sent - due)
}

// booked is complete once the client is closed.
func (l *harm) booked() (dropped, extra int64) { return l.dropped.Load(), l.extra.Load() }
