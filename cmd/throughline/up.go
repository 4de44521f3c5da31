package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"throughline/app"
	"throughline/cmd/throughline/cli"
	"throughline/live"
	"throughline/loadgen"
	"throughline/scenarios/report"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
	"throughline/scratch"
)

// upFlags is the command line of up.
type upFlags struct {
	runFlags
	web    int
	port   int
	rate   perSecond
	defect string
	cloud  bool // the instances are in one
	// cloudwatch is the period by which CloudWatch tells of them; 0: it does not.
	cloudwatch time.Duration
	members    int   // of the database; 0: it stands alone
	httpd      bool  // an Apache HTTP server stands before each instance
	rum        bool  // users tell the collector of their pages
	tour       *tour // leads through the talk meanwhile; nil: nobody is led
	passes     bool  // the record goes at the end
}

// perSecond is a rate as a flag has it: 50/s, or 50.
type perSecond float64

// gentle is the load of a stack that is up, if no other is wanted: it is seen, and a laptop
// does not hear it.
const gentle perSecond = 50

// String implements pflag.Value.
func (r *perSecond) String() string { return strconv.FormatFloat(float64(*r), 'f', -1, 64) + "/s" }

// Set implements pflag.Value.
func (r *perSecond) Set(text string) error {
	n, err := loadgen.ParseRate(text)
	*r = perSecond(n)
	return err
}

// Type implements pflag.Value.
func (*perSecond) Type() string { return "rate" }

func newUp() *cobra.Command {
	flags := upFlags{runFlags: runFlags{format: "text"}}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the stack up, under load, and make moves by hand",
		Long: `Start database, load balancer, collector and web instances, print where they are,
and leave them running, with a gentle load, until Ctrl-C or throughline ctl end.

Meanwhile you make the moves: with the buttons of the page that is printed, or from
another shell with throughline ctl (ctl kill web-2, ctl launch, ctl replace all). Each
is a step of the scenario language, and is seen on the page at once. (--page off: there
is neither page nor ctl.)

At the end the load stops, the last counts come in, and there is a verdict on all that
you did, as throughline run gives one, with the same exit statuses: did the layers
agree on every request, whoever came and went? A second Ctrl-C calls the run off. With
--out the record stays. What you did is the scenario in it, scenario.yaml, which can be
judged and run again. A stack that is left alone for days had better be without load:
--rate 0, and there is no record to judge.`,
		Example: `  throughline up                                  then: throughline ctl kill web-2
  throughline up --rate 200/s --out /tmp/r          and at the end: throughline judge /tmp/r
  throughline up --members 3                      then: throughline ctl kill primary
  throughline up --defect lost-on-exit            then: throughline ctl replace all`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := flags.scenario(cmd)
			if err != nil {
				return cli.Usage(err)
			}
			return up(cmd, s, flags)
		},
	}
	f := cmd.Flags()
	f.IntVar(&flags.web, "web", 3, "how many web instances")
	f.IntVar(&flags.port, "port", 0, "where the load balancer serves (default: any free port)")
	flags.rate = gentle
	f.Var(&flags.rate, "rate", "requests per second; 0: none, and no verdict")
	f.StringVar(&flags.defect, "defect", "", "make the app's instrumentation wrong in this way (throughline app --help lists them)")
	f.BoolVar(&flags.cloud, "cloud", false, "put the instances into a cloud: a metadata service tells them who they are, and ctl interrupt gives notice")
	f.DurationVar(&flags.cloudwatch, "cloudwatch", 0, "have a CloudWatch tell what the hypervisor counts of the instances, by periods of so long (5s, 10s, 1m); they tell their own CPU then, too")
	f.BoolVar(&flags.rum, "beacons", false, "have users tell the collector of their pages with beacons (rum_page_views_total, rum_page_latency)")
	f.IntVar(&flags.members, "members", 0, "make the database a replica set of so many members (3 to 7): ctl kill primary, ctl launch member, ctl step_down")
	f.BoolVar(&flags.httpd, "httpd", false, "put an Apache HTTP server before each instance: ctl fault reload-httpd on web-1")
	flags.common(f)
	f.StringVar(&flags.out, "out", "", "directory for logs and record (default: a temporary one, removed at the end)")
	return cmd
}

// scenario is the one that is played by hand.
func (f upFlags) scenario(cmd *cobra.Command) (script.Scenario, error) {
	var defects []string
	for _, d := range app.Defects() {
		defects = append(defects, d.Name)
	}
	rate := float64(f.rate)
	switch {
	case f.web < 1 || f.web > script.MaxInstances:
		return script.Scenario{}, fmt.Errorf("--web %d: want 1 to %d instances", f.web, script.MaxInstances)
	case f.port < 0 || f.port > 65535:
		return script.Scenario{}, fmt.Errorf("--port %d: want 1 to 65535, or 0 for any free one", f.port)
	case rate == 0:
		rate = 1 // nobody comes; but a scenario has a load
	case !(rate >= script.MinRate && rate <= script.MaxRate):
		return script.Scenario{}, fmt.Errorf("--rate %s: want %v/s to %d/s, or 0 for none", f.rate.String(), script.MinRate, script.MaxRate)
	}
	if f.defect != "" && !slices.Contains(defects, f.defect) {
		return script.Scenario{}, fmt.Errorf("--defect %s: no such defect%s; throughline app --help lists them", f.defect, cli.DidYouMean(f.defect, defects))
	}
	if f.cloudwatch != 0 && !script.IsPeriod(f.cloudwatch) {
		return script.Scenario{}, fmt.Errorf("--cloudwatch %v: no period of CloudWatch; want 1s, 5s, 10s, 20s, 30s, or whole minutes up to 5m", f.cloudwatch)
	}
	if f.members != 0 && (f.members < script.LeastMembers || f.members > script.MostMembers) {
		return script.Scenario{}, fmt.Errorf("--members %d: want %d to %d, or 0 for a database that stands alone", f.members, script.LeastMembers, script.MostMembers)
	}
	if err := f.check(); err != nil {
		return script.Scenario{}, err
	}
	return trial.ByHand(script.Improvised{Instances: f.web, Defect: f.defect, Rate: rate, Cloud: f.cloud, CloudWatch: f.told(), Beacons: f.rum, Members: f.members, HTTPD: f.httpd}, script.Options{Defects: defects})
}

// told is how CloudWatch tells of the stack.
func (f upFlags) told() script.CloudWatch {
	if f.cloudwatch == 0 {
		return script.CloudWatch{}
	}
	return script.CloudWatch{Period: f.cloudwatch, Delay: toldAfter}
}

// toldAfter is how late a CloudWatch tells in a stack that is up: people wait for it.
const toldAfter = 2 * time.Second

func up(cmd *cobra.Command, s script.Scenario, flags upFlags) (failed error) {
	dir := flags.out
	if dir == "" {
		temporary, err := scratch.New("up")
		if err != nil {
			return cli.Unable(err)
		}
		defer func() { failed = errors.Join(failed, temporary.Remove()) }()
		dir = temporary.Path
		flags.out, flags.passes = dir, true
	}
	have, err := flags.preflight(cmd.Context(), []script.Scenario{s})
	if err != nil {
		return cli.Unable(err)
	}
	flags.seed = rand.Uint64()
	hand := run.NewHand()
	ctx, stop := cli.Insisted(cmd.Context())
	defer stop()
	// Of a stack that is up, the first Ctrl-C is the end that is meant, and the second one
	// calls it off. One that is still coming is called off at once.
	var isUp atomic.Bool
	context.AfterFunc(cmd.Context(), func() {
		if !isUp.Load() {
			stop()
		}
		hand.End()
	})

	t := flags.trial(s, dir, have)
	t.Hand = hand
	tell := func(err error) { fmt.Fprintf(cmd.ErrOrStderr(), "throughline: %v\n", err) }
	window := openWindow(flags.runFlags, hand, tell)
	defer window.close()
	t.Screen, t.Roster = window.screen, window.roster
	flags.tour.attach(hand, window)
	window.show(flags.open, tell)
	ready := func(at run.Addresses) {
		isUp.Store(true)
		addresses(cmd.OutOrStdout(), at)
		window.tell(cmd.OutOrStdout())
		fmt.Fprintln(cmd.OutOrStdout(), "Ctrl-C ends it.")
		flags.tour.ready(cmd.Context(), at)
	}
	if flags.rate == 0 {
		_, err := t.Up(ctx, flags.port, false, ready)
		return cli.Unable(err)
	}
	sequence := trial.Sequence{
		Trials: []trial.Trial{t}, Missing: []error{nil},
		Tell:  tell,
		Watch: func(s *live.Stream) (shown func()) { return report.Follow(cmd.ErrOrStderr(), os.Getenv, s) },
		Show:  func(j trial.Judged) error { return flags.show(cmd.OutOrStdout(), j) },
		Hold: func(ctx context.Context, t trial.Trial) (*trial.Judged, error) {
			return t.Up(ctx, flags.port, flags.rate > 0, ready)
		},
	}
	return flags.tour.encoreOf(ctx, cmd.Context(), sequence.Run(ctx))
}

// show prints a verdict, and where the record is, or how to keep it.
func (f upFlags) show(w io.Writer, j trial.Judged) error {
	// Of a record that goes nobody can ask for the rest later.
	more := report.TextOptions{All: f.passes, More: judgeFlags{}.showsAll(j.Dir)}
	if f.passes {
		j.Dir = ""
	}
	if err := show(w, j, f.format, j.Dir, more); err != nil || !f.passes {
		return err
	}
	_, err := fmt.Fprintln(w, "The record and its report are not kept; --out DIR keeps them.")
	return err
}

// addresses prints where everything is.
func addresses(w io.Writer, at run.Addresses) {
	fmt.Fprintf(w, "users          %s   (try: curl -X POST %s/insert/hello; curl %s/toplist)\n", at.Users, at.Users, at.Users)
	fmt.Fprintf(w, "load balancer  %s   (HAProxy's runtime socket)\n", at.Runtime)
	if at.Database != "" {
		fmt.Fprintf(w, "database       %s\n", at.Database)
	}
	if at.Metrics != "" {
		fmt.Fprintf(w, "metrics        %s   (Prometheus' HTTP API)\n", at.Metrics)
	}
	for _, web := range at.Web {
		fmt.Fprintf(w, "%-14s http://%s\n", web.Name, web.Addr)
	}
}
