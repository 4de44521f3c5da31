package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/app"
	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/collector/forward"
	"throughline/live"
	"throughline/scenarios/report"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// runFlags is the command line of run, and in part of up.
type runFlags struct {
	platform  string
	out       string
	seed      uint64
	mongo     string
	mongod    string
	mongoImg  string
	dashboard string
	page      string
	open      bool
	format    string
	haproxy   string
	forge     forgeFlags
	relay     string
	own       string
	metrics   metricsFlags
	kube      platforms.Kubernetes
	handed    handOverFlags
}

// common are the flags that run and up share.
func (f *runFlags) common(set *pflag.FlagSet) {
	var each []string
	for _, p := range platforms.All() {
		each = append(each, p.Name+" ("+p.About+")")
	}
	set.StringVar(&f.platform, "platform", platforms.Names()[0], "what runs the instances: "+strings.Join(each, " or "))
	set.StringVar(&f.mongo, "mongo", "", "URI of a MongoDB to use instead of the embedded database")
	set.StringVar(&f.mongod, "mongod", "", "path of a mongod that is started in place of the embedded database, with its members where a scenario has them")
	set.StringVar(&f.mongoImg, "mongo-image", "", "image of MongoDB, which takes mongod's arguments, with --platform docker (default $MONGO_IMAGE, or mongo:8 where that is to be had)")
	set.StringVar(&f.dashboard, "dashboard", "127.0.0.1:0", "where the collector answers Prometheus' HTTP API while the stack is up, or off")
	set.StringVar(&f.page, "page", "", "where a browser can look on, or off (default "+pageAddr+", or the next port that is free; off with --dashboard off)")
	set.BoolVar(&f.open, "open", false, "open the page in a browser")
	set.StringVar(&f.relay, "relay", "", "give every datagram of the instances, as it came, and events of what is done to them, to another StatsD, such as a Datadog agent's: udp://host:port or unixgram:///path")
	set.StringVar(&f.haproxy, "haproxy", "", "the HAProxy binary (default: found on PATH)")
	set.StringVar(&f.kube.Context, "kube-context", "", "the cluster of --platform kubernetes: a context of the kubeconfig (default: the current one)")
	set.StringVar(&f.kube.Registry, "registry", "", "from where its nodes pull this program's image (default: they have it; see throughline image)")
	set.StringVar(&f.kube.Home, "harness-address", "", "the IP address of this machine that its pods reach (default: that of the way to the API server)")
}

func newRun() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run FILE|NAME...",
		Short: "Run scenarios and give a verdict on each",
		Long: `Run scenarios one after the other: files (- is standard input), or built-in ones
by name (see throughline list). For each, a stack is started, put under load and changed as
the scenario says, and everything seen is recorded in a directory. The verdict is
then judged from that record alone, and can be judged again with throughline judge.

While they run, a page shows them: its address is printed first, --open opens it, and
--page off does without. With the verdict it becomes the report. Nobody is waited for
who looks on, but for a second at the end.

Progress goes to standard error, the verdict to standard output. The exit status
is that of the worst verdict: 0 pass, 2 inconclusive, 4 if a scenario could not be
run (what is missing is listed before anything starts; the other scenarios are
run), 1 fail, which outranks them all. If a scenario cannot be read it is 3, and
nothing is started.`,
		Example: `  throughline run replace-an-instance
  throughline run --seed 7 --out /tmp/r my-scenario.yaml
  throughline run --format json quiet | jq .outcome
  throughline run --annotations github --retry-inconclusive 2 ci/*.yaml
  throughline run --metrics-from http://127.0.0.1:9090 --page 127.0.0.1:8900 my-scenario.yaml`,
		Args: cli.Operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				flags.seed = uint64(rand.Uint32()) // short enough to type again
			}
			return runAll(cmd, args, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.out, "out", "", "directory of the record (default runs/TIME-SCENARIO; with several scenarios a folder in it for each)")
	f.Uint64Var(&flags.seed, "seed", 0, "decides words and routes of the load (default: drawn, printed and recorded)")
	flags.common(f)
	f.StringVar(&flags.own, "i-own", "", "a host that is yours, so that a scenario may put it under load although its address is public (stack.external)")
	f.StringVar(&flags.format, "format", "text", "of the verdict: text or json")
	flags.metrics.add(f)
	flags.forge.add(f)
	flags.handed.add(f)
	return cmd
}

func (f runFlags) check() error {
	p, err := platforms.Find(f.platform)
	if err != nil {
		return fmt.Errorf("--platform %w", err)
	}
	if err := p.Refuses(f.options()); err != nil {
		return err
	}
	if f.relay != "" {
		if _, err := forward.NewRelay(forward.RelayConfig{To: f.relay}); err != nil {
			return fmt.Errorf("--relay: %w", err)
		}
	}
	dashboard, page := cli.HostPort("dashboard", f.dashboard, "127.0.0.1:9102"), cli.HostPort("page", f.page, pageAddr)
	switch {
	case f.page != "" && f.page != off && page != nil:
		return fmt.Errorf("%w, or off", page)
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: no such format (have text, json)", f.format)
	case f.dashboard != off && dashboard != nil:
		return fmt.Errorf("%w, or off", dashboard)
	case f.mongo != "" && f.mongod != "":
		return errors.New("--mongo and --mongod: one is there already and the other is started; give one of the two")
	case f.mongo != "" && f.mongoImg != "":
		return errors.New("--mongo and --mongo-image: one is there already and the other is started; give one of the two")
	case f.mongo != "" && !strings.HasPrefix(f.mongo, "mongodb://") && !strings.HasPrefix(f.mongo, "mongodb+srv://"):
		return fmt.Errorf("--mongo %s: not a MongoDB URI, like mongodb://127.0.0.1:27017", f.mongo)
	}
	return nil
}

func (f runFlags) options() platforms.Options {
	return platforms.Options{HAProxy: f.haproxy, MongoURI: f.mongo, Mongod: f.mongod, MongoImage: f.mongoImg, Own: f.own, Out: f.out, Kubernetes: f.kube}
}

// preflight gives what the scenarios run in, or all that is missing.
func (f runFlags) preflight(ctx context.Context, all []script.Scenario) (trial.Environment, error) {
	p, err := platforms.Find(f.platform)
	if err != nil {
		return trial.Environment{}, err
	}
	return p.Preflight(ctx, all, f.options())
}

// trial is a scenario as the flags have it run.
func (f runFlags) trial(s script.Scenario, dir string, on trial.Environment) trial.Trial {
	t := trial.Trial{Scenario: s, Dir: dir, Seed: f.seed, MongoURI: f.mongo, Relay: f.relay, Access: f.metrics.access(), Version: cli.Version(), On: on}
	if f.dashboard != off {
		t.Dashboard = f.dashboard
	}
	return t
}

// runAll runs scenarios one after the other.
func runAll(cmd *cobra.Command, args []string, flags runFlags) error {
	reading := reader(cmd)
	if err := flags.metrics.check(cmd.Flags()); err != nil {
		return cli.Usage(err)
	}
	var err error
	if reading.Adding, err = flags.metrics.addition(cmd.Context()); err != nil {
		return err
	}
	all, err := reading.ReadAll(args)
	if err == nil {
		err = errors.Join(flags.check(), flags.forge.check(flags.format), flags.handed.check())
	}
	if err != nil {
		return cli.Usage(err)
	}
	ctx, handed, err := flags.handed.open(cmd.Context(), flags.out)
	if err != nil {
		return cli.Unable(err)
	}
	defer handed.close()
	tell := func(err error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "throughline: %v\n", err)
		handed.tell(err)
	}
	have, missing := trial.Preflight(all, func(some []script.Scenario) (trial.Environment, error) { return flags.preflight(ctx, some) }, tell)
	sequence := trial.Sequence{
		Missing: missing, Tell: tell, Retries: flags.forge.retries,
		Watch: handed.watch(func(s *live.Stream) (shown func()) { return report.Follow(cmd.ErrOrStderr(), os.Getenv, s) }),
		Show: func(j trial.Judged) error {
			return show(cmd.OutOrStdout(), j, flags.format, j.Dir, report.TextOptions{More: judgeFlags{}.showsAll(j.Dir)})
		},
	}
	dirs := make([]string, len(all))
	sequence.Sum = func(results []report.Result) error {
		var failed error
		if flags.format == "text" && len(results) > 1 {
			on := report.NewTerminal(cmd.OutOrStdout(), os.Getenv)
			failed = report.WriteSummary(cmd.OutOrStdout(), results, report.TextOptions{Color: on.Color, Width: on.Width})
		}
		return errors.Join(failed, flags.forge.tellJUnit(results), flags.forge.tell(cmd, forged(all, dirs, results)))
	}
	window := openWindow(flags, nil, tell)
	defer window.close()
	window.show(flags.open, tell)
	window.tell(cmd.ErrOrStderr())
	for i, s := range all {
		dirs[i] = trial.Directory(flags.out, s.Name, i, len(all))
		t := flags.trial(s, dirs[i], have[i])
		t.Screen, t.Roster = window.screen, window.roster
		sequence.Trials = append(sequence.Trials, t)
	}
	status := sequence.Run(ctx)
	handed.end(cmd.Context(), int(status), tell)
	return ending(status)
}

// reader reads the scenarios that a command names; it knows the reference app's defects.
func reader(cmd *cobra.Command) trial.Reader {
	r := trial.Reader{Stdin: cmd.InOrStdin()}
	for _, d := range app.Defects() {
		r.Options.Defects = append(r.Options.Defects, d.Name)
	}
	return r
}
