package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/scenarios/report/diff"
	"throughline/scenarios/trial"
)

func newDiff() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Compare two recorded runs: is the second as good as the first?",
		Long: `Compare the records of two runs, such as one of the main branch and one of a change.
Both are judged anew, by the judge of this program. It tells which causes are new,
which are gone and how their amounts differ, and how long users waited in each.

The exit status is 0 if the second run is as good: it passes, or it fails by nothing
that the first had not. It is 1 if it fails by something new, and 2 if one of the two
proves nothing. Amounts and latencies decide nothing: two runs cannot tell how much
of a difference is chance.`,
		Example: `  throughline diff runs/main runs/change
  throughline diff --format json runs/main runs/change | jq -r '.causes[] | .state, .cause'`,
		Args: cli.Operands(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return cli.Usage(fmt.Errorf("--format %s: no such format (have text, json)", format))
			}
			var runs [2]diff.Run
			for i, dir := range args {
				j, err := trial.Judge(dir, cli.Version())
				if err != nil {
					return cli.Usage(err)
				}
				runs[i] = diff.Run{Dir: dir, Requests: j.History.Requests, Verdict: j.Verdict}
			}
			c := diff.Compare(runs[0], runs[1])
			write := func() error { return diff.WriteText(cmd.OutOrStdout(), c) }
			if format == "json" {
				write = func() error { return json.NewEncoder(cmd.OutOrStdout()).Encode(c) }
			}
			if err := write(); err != nil {
				return cli.Unable(err)
			}
			return ending(map[string]trial.Status{diff.AsGood: trial.Pass, diff.Worse: trial.Fail, diff.Unknown: trial.Inconclusive}[c.Verdict])
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}
