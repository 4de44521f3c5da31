package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/cmd/throughline/cli"
	"throughline/scenarios/synthetic"
	"throughline/scenarios/synthetic/confusion"
	"throughline/scenarios/trial"
)

// syntheticFlags are those of a selftest on made-up runs.
type syntheticFlags struct {
	runs    int
	seed    uint64
	only    string
	explain bool
}

func (s *syntheticFlags) register(f *pflag.FlagSet) {
	f.IntVar(&s.runs, "synthetic", 0, "run nothing: make up so many runs, and judge them")
	f.Uint64Var(&s.seed, "seed", 1, "with --synthetic: seed of the first made-up run; the others follow")
	f.StringVar(&s.only, "only", "", "with --synthetic: make up runs of this cause alone, or \"healthy\" ones")
	f.BoolVar(&s.explain, "explain", false, "with --synthetic: tell all about each run, and what the judge found")
}

// aloneWithSynthetic tells whether runs are to be made up, and refuses what does not
// go together.
func aloneWithSynthetic(cmd *cobra.Command, args []string, flags selftestFlags) (bool, error) {
	if !cmd.Flags().Changed("synthetic") {
		if name := cli.Given(cmd, "seed", "only", "explain"); name != "" {
			return false, fmt.Errorf("--%s goes with --synthetic alone", name)
		}
		return false, nil
	}
	if name := cli.Given(cmd, "repeat", "healthy", "platform", "again", "list"); name != "" {
		return false, fmt.Errorf("--%s does not go with --synthetic, which runs nothing real", name)
	}
	if len(args) > 0 {
		return false, fmt.Errorf("%s: names are of the gallery; with --synthetic, --only names a cause", args[0])
	}
	return true, nil
}

// synthetically judges made-up runs in place of real ones.
func synthetically(cmd *cobra.Command, flags selftestFlags) error {
	s := flags.synthetic
	switch {
	case s.runs < 1:
		return cli.Usage(fmt.Errorf("--synthetic %d: at least one run must be made up", s.runs))
	case flags.jobs < 1:
		return cli.Usage(fmt.Errorf("--jobs %d: at least one run must be judged at once", flags.jobs))
	case flags.format != "text" && flags.format != "json" && flags.format != "markdown":
		return cli.Usage(fmt.Errorf("--format %s: no such format (have text, json, markdown)", flags.format))
	case flags.keep && flags.out == "":
		return cli.Usage(errors.New("--keep: say with --out where the records shall be kept"))
	}
	if s.only != "" {
		if _, err := confusion.Make(s.seed, s.only); err != nil {
			return cli.Usage(fmt.Errorf("--only: %w", err))
		}
	}
	campaign := trial.MadeUp{Runs: s.runs, Seed: s.seed, Only: s.only, Jobs: flags.jobs}
	if s.explain || flags.keep {
		return campaign.Each(func(made synthetic.Made) error { return explained(cmd, flags, made) })
	}
	told := time.Now()
	campaign.Tell = func(done int) {
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			fmt.Fprintf(cmd.ErrOrStderr(), "[%d/%d] made-up runs judged\n", done, s.runs)
		}
	}
	results, err := campaign.Judge(cmd.Context())
	if err == nil {
		err = confusion.Write(cmd.OutOrStdout(), results, flags.format)
	}
	if err != nil {
		return cli.Unable(err)
	}
	return ending(campaign.Status(results))
}

// explained tells all of a run, or keeps its record.
func explained(cmd *cobra.Command, flags selftestFlags, made synthetic.Made) error {
	if flags.keep {
		dir, err := trial.KeepMadeUp(flags.out, made)
		if err != nil {
			return cli.Unable(err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "record: %s\n", dir)
	}
	if flags.synthetic.explain {
		if err := confusion.Explain(cmd.OutOrStdout(), made); err != nil {
			return cli.Unable(err)
		}
	}
	return nil
}
