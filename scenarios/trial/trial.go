// Package trial puts a scenario on trial: it has the scenario run, reads back from disk
// what was recorded, has that judged, and leaves the reports beside it. It does the same
// for several scenarios in a row, for records that are there already, and for the
// campaigns in which the judge itself is judged.
//
// It is the only package that joins the clockwork (scenarios/run) and the judge
// (scenarios/check), which know nothing of each other. It has no rule of a verdict, no
// step of a run and no platform: the command line calls it, hands in an [Environment],
// and prints what comes back.
package trial

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"throughline/live"
	"throughline/scenarios/check"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// Interval is the collector's, and the grain of every verdict.
const Interval = time.Second

// What a record calls a database of ours and of others.
const (
	Embedded = "docstore"
	foreign  = "mongodb"
)

// Trial is one scenario that is to be run and judged.
type Trial struct {
	Scenario  script.Scenario
	Dir       string     // of the record and the reports
	Seed      uint64     // decides words and routes of the load
	MongoURI  string     // of a MongoDB that is there already; empty: one is started
	Dashboard string     // where the collector's HTTP API listens; empty: nowhere
	Relay     string     // another StatsD that gets all that the instances send, and what is done to them; empty: nobody does
	Access    run.Access // how a server is reached that scrapes the instances (metrics_from)
	Version   string     // of this program, for record and verdict
	On        Environment
	Live      *live.Stream // is told how it goes; nil: nobody is
	Hand      *run.Hand    // makes moves while the stack is up; nil: nobody does
	Roster    *run.Roster  // lists the instances while the stack is there; nil: nobody asks
	Screen    *Screen      // shows how it goes; nil: nobody looks
}

// Run runs the scenario, judges what it recorded and writes the reports. Without a
// verdict there is nothing but the error, which says why there is none; beside a verdict
// the error says which report could not be written. When ctx ends, the run is called
// off, and what there is of it is judged.
func (t Trial) Run(ctx context.Context) (*Judged, error) {
	return t.held(ctx, t.config(time.Now()), len(t.Scenario.Phases), run.Run)
}

// Up brings the scenario's stack up, with the load balancer at the port (0: any that is
// free), tells where it is, and leaves it to the hand until that ends it, or ctx does. With
// load, what was done is judged as Run's is; without there is no verdict.
func (t Trial) Up(ctx context.Context, port int, load bool, ready func(run.Addresses)) (*Judged, error) {
	if t.Hand == nil {
		t.Hand = run.NewHand()
	}
	c := t.config(time.Now())
	c.Frontend = port
	if load {
		return t.held(ctx, c, 0, func(ctx context.Context, c run.Config) error { return run.Up(ctx, c, true, ready) })
	}
	if t.Screen != nil {
		c.Observer = t.Screen.begin(c.Run, t.Scenario, 0)
	}
	return nil, t.On.do(ctx, c, func(ctx context.Context, c run.Config) error {
		return run.Up(ctx, c, false, func(at run.Addresses) {
			if t.Screen != nil {
				t.Screen.change(func(h *report.Head) { h.State = up })
			}
			ready(at)
		})
	})
}

// held has a run of so many phases happen (0: nobody knows how many), and judges it.
func (t Trial) held(ctx context.Context, c run.Config, phases int, happen func(context.Context, run.Config) error) (_ *Judged, err error) {
	if t.Screen != nil {
		c.Observer = t.Screen.begin(c.Run, t.Scenario, phases)
		defer func() {
			if err != nil {
				t.Screen.fail(err)
			}
		}()
	}
	feed{t.Live}.publish(live.Event{Kind: live.Begin, Scenario: &live.Scenario{
		Name: t.Scenario.Name, About: t.Scenario.About, Seed: t.Seed, Dir: t.Dir, Phases: phases}})
	if t.On.Note != "" && c.Run.Database == Embedded {
		c.Progress.Note(t.On.Note)
	}
	failed := t.On.do(ctx, c, happen)
	history, err := readRecorded(t.Dir, c.Run.ID, failed)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		c.Progress.Note(fmt.Sprintf("the stack did not go down as it should, after the record was closed: %v", failed))
	}
	verdict, err := check.Judge(history)
	if err != nil {
		return nil, err
	}
	verdict.ToolVersion = t.Version
	judged := &Judged{Dir: t.Dir, History: history, Verdict: verdict}
	if t.Screen != nil {
		t.Screen.end(*judged)
	}
	return judged, judged.Write(t.Dir)
}

// config is all of a run's configuration but the platform.
func (t Trial) config(start time.Time) run.Config {
	versions := map[string]string{"throughline": t.Version}
	if t.Scenario.Stack.External == nil {
		versions["haproxy"] = t.On.HAProxyVersion
	}
	if t.Scenario.Stack.HTTPD {
		versions["httpd"] = t.On.HTTPD.Version
	}
	switch {
	case t.On.Mongod.Version != "":
		versions["mongod"] = t.On.Mongod.Version
	case t.On.MongoDB && t.MongoURI == "":
		versions["mongod"] = t.On.Database.Image
	}
	return run.Config{
		Scenario: t.Scenario, Dir: t.Dir, MongoURI: t.MongoURI, Dashboard: t.Dashboard, Relay: t.Relay, Access: t.Access,
		HAProxy: t.On.HAProxy, HTTPD: t.On.HTTPD, Web: t.On.Web, Database: t.On.Database, Mongod: t.On.MongoDB,
		Progress: feed{t.Live}, Hand: t.Hand, Roster: t.Roster,
		Run: record.Run{
			ID: NewID(start), Scenario: t.Scenario.Name, File: t.Scenario.File, Seed: t.Seed, Platform: t.On.Platform,
			Start: start, Interval: Interval, Database: t.database(),
			Versions: versions, Rules: t.Scenario.Rules,
		},
	}
}

// database is what the record calls the database.
func (t Trial) database() string {
	switch {
	case t.Scenario.Stack.Mongo == script.MongoNone:
		return record.NoDatabase
	case t.MongoURI != "" || t.On.MongoDB:
		return foreign
	}
	return Embedded
}

// readRecorded reads the record of a run. A run that failed has none, unless what failed
// came after the record had been closed: then it is as good as any, and what went
// wrong is to be told beside the verdict.
func readRecorded(dir, id string, failed error) (record.History, error) {
	history, err := record.Read(dir)
	if failed != nil && (err != nil || !wholeRecord(history, id)) {
		return record.History{}, failed
	}
	return history, err
}

// wholeRecord tells whether a record is this run's, and has its end.
func wholeRecord(h record.History, id string) bool {
	return h.Run.ID == id && len(h.Damage) == 0 && slices.ContainsFunc(h.Events, func(e record.Event) bool { return e.Kind == record.RunEnd })
}

// NewID gives an id that is unique among the runs of one machine: request ids and
// series carry it, so that nothing of an earlier run can be taken for this one's.
func NewID(start time.Time) string {
	return strconv.FormatInt(start.UnixMilli(), 36) + strconv.FormatInt(int64(os.Getpid()), 36)
}
