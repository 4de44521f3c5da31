package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/scenarios/gallery"
	"throughline/scenarios/trial"
)

// selftestFlags is the command line of selftest.
type selftestFlags struct {
	repeat, healthy, jobs int
	out, format, platform string
	again                 string
	keep, list            bool
	synthetic             syntheticFlags
}

func newSelftest() *cobra.Command {
	var flags selftestFlags
	cmd := &cobra.Command{
		Use:   "selftest [NAME...]",
		Short: "Judge the judge: run the gallery of known defects and faults",
		Long: `Run the gallery: defects in the reference app's instrumentation, faults of the
infrastructure, alerts that cannot work and defects of this tool itself, each on a
real stack of its own, and healthy runs beside them. For each the matrix tells
whether the right check spoke, blamed the right instances, gave the right number
and named the right cause. Without names everything runs; a name is that of an
entry or of a healthy run, and --list tells them.

Progress goes to standard error, matrix and figures to standard output. The exit
status is 0 if all was caught and no healthy run failed, 1 if not, 2 if too many
runs prove nothing to say so. Records of what was not right stay in --out; with
--keep all do, and --again judges them once more by the judge of today.`,
		Example: `  throughline selftest
  throughline selftest lost-on-exit counted-twice
  throughline selftest batched-5s stalled-2s --repeat 3
  throughline selftest --repeat 10 --healthy 300 --format markdown > docs/GALLERY.md
  throughline selftest --keep --out runs/all && throughline selftest --again runs/all
  throughline selftest --synthetic 20000 --format markdown > docs/CONFUSION.md
  throughline selftest --synthetic 1 --seed 17 --only late --explain`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("healthy") && flags.healthy < 0 {
				return cli.Usage(fmt.Errorf("--healthy %d: want a whole number from 0", flags.healthy))
			}
			if err := aloneWithAgain(cmd, flags); err != nil {
				return cli.Usage(err)
			}
			made, err := aloneWithSynthetic(cmd, args, flags)
			if err != nil {
				return cli.Usage(err)
			}
			if made {
				return synthetically(cmd, flags)
			}
			return selftest(cmd, args, flags)
		},
	}
	f := cmd.Flags()
	f.IntVar(&flags.repeat, "repeat", 1, "how often each entry runs")
	f.IntVar(&flags.healthy, "healthy", -1, "how many healthy runs (default: each once; with names, those as often as the entries)")
	f.IntVar(&flags.jobs, "jobs", runtime.NumCPU(), "how many stacks run at once")
	f.StringVar(&flags.platform, "platform", platforms.Names()[0], "what runs the instances: "+strings.Join(platforms.Names(), " or "))
	f.StringVar(&flags.out, "out", "", "directory of the records (default runs/TIME-selftest)")
	f.StringVar(&flags.format, "format", "text", "of the matrix: text, json or markdown")
	f.BoolVar(&flags.keep, "keep", false, "keep the records of what was right too")
	f.StringVar(&flags.again, "again", "", "run nothing: judge the records that a selftest with --keep left in this directory")
	f.BoolVar(&flags.list, "list", false, "list the gallery, run nothing")
	flags.synthetic.register(f)
	return cmd
}

// check refuses what cannot be done.
func (f selftestFlags) check() error {
	if _, err := platforms.Find(f.platform); err != nil {
		return fmt.Errorf("--platform %w", err)
	}
	switch {
	case f.format != "text" && f.format != "json" && f.format != "markdown":
		return fmt.Errorf("--format %s: no such format (have text, json, markdown)", f.format)
	case f.repeat < 1:
		return fmt.Errorf("--repeat %d: each entry runs at least once", f.repeat)
	case f.jobs < 1:
		return fmt.Errorf("--jobs %d: at least one stack must run", f.jobs)
	}
	return nil
}

// aloneWithAgain refuses what says how to run beside --again, which runs nothing.
func aloneWithAgain(cmd *cobra.Command, flags selftestFlags) error {
	if name := cli.Given(cmd, "repeat", "healthy", "platform", "out", "keep", "list"); name != "" && flags.again != "" {
		return fmt.Errorf("--%s: has no meaning with --again, which runs nothing; leave one of the two out", name)
	}
	return nil
}

func selftest(cmd *cobra.Command, names []string, flags selftestFlags) error {
	entries, healthy, err := gallery.Select(names...)
	if err == nil {
		err = flags.check()
	}
	if err != nil {
		return cli.Usage(err)
	}
	if flags.list {
		return gallery.WriteList(cmd.OutOrStdout(), entries, healthy)
	}
	campaign := &trial.Campaign{Dir: flags.out, Jobs: flags.jobs, Keep: flags.keep, Version: cli.Version()}
	judge := campaign.Run
	if flags.again != "" {
		err = flags.prepareAgain(campaign, entries, healthy)
		judge = campaign.Again
	} else {
		err = flags.prepare(cmd, campaign, trial.Plan{Entries: entries, Controls: healthy, ByName: len(names) > 0, Repeat: flags.repeat, Healthy: flags.healthy})
	}
	if err != nil {
		return err
	}
	campaign.Tell = func(done int, r gallery.Result) {
		fmt.Fprintf(cmd.ErrOrStderr(), "[%d/%d] %s\n", done, len(campaign.Runs), r.Line())
	}
	results := judge(cmd.Context())
	if err := gallery.Write(cmd.OutOrStdout(), results, flags.format); err != nil {
		return cli.Unable(err)
	}
	return ending(campaign.Status(results))
}

// prepareAgain finds the records of an earlier selftest.
func (f selftestFlags) prepareAgain(c *trial.Campaign, entries []gallery.Entry, healthy []gallery.Control) (err error) {
	c.Dir = f.again
	if c.Runs, err = trial.Kept(f.again, entries, healthy); err != nil {
		return cli.Usage(fmt.Errorf("--again %s: cannot be read: %w; give the --out of a selftest with --keep", f.again, cli.Reason(err)))
	}
	if len(c.Runs) == 0 {
		return cli.Usage(fmt.Errorf("--again %s: no record of what is asked for; let a selftest keep them with --keep --out %[1]s", f.again))
	}
	return nil
}

// prepare lays the runs out, writes all scenarios and lists what is wrong or missing,
// before anything starts.
func (f selftestFlags) prepare(cmd *cobra.Command, c *trial.Campaign, plan trial.Plan) error {
	p, err := platforms.Find(f.platform)
	if err != nil {
		return cli.Usage(err) // never: the flags were checked
	}
	read := reader(cmd)
	plan.Lacks, plan.Options = p.Lacks, read.Options
	runs, left, err := plan.Runs()
	if err != nil {
		return cli.Unable(err)
	}
	if len(left) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "left out: %s: %s\n", strings.Join(left, ", "), p.Lacks.OwnAddress)
	}
	if f.out == "" {
		f.out = trial.NewDirectory("selftest")
	}
	self, err := platforms.OwnFile()
	if err != nil {
		return cli.Unable(err)
	}
	c.Dir, c.Runs = f.out, runs
	c.Command = []string{self, "run", "--format", "json", "--dashboard", "off", "--platform", f.platform}
	if err := c.Write(); err != nil {
		return cli.Unable(err)
	}
	if err := c.Check(read); err != nil {
		return cli.Usage(err)
	}
	if _, err := p.Preflight(cmd.Context(), nil, platforms.Options{Out: f.out}); err != nil {
		return cli.Unable(err)
	}
	return nil
}
