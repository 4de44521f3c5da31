// Command throughline runs a small real web stack under load, scales it, kills
// parts of it, and tells from the record whether the metrics stayed continuous
// and correlated.
//
// This package is wiring: a file for each subcommand, which reads flags, puts
// the parts together and chooses the exit status. It knows no rule of a verdict
// and no step of a run, and how a command line behaves is the package cli's;
// people, scripts and the instances of a stack call it.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/scenarios/trial"
)

// The exit statuses. Scripts depend on them.
const (
	exitPass         = int(trial.Pass)
	exitFail         = int(trial.Fail)
	exitInconclusive = int(trial.Inconclusive)
	exitUsage        = cli.StatusUsage  // bad scenario or bad command line
	exitHarness      = cli.StatusUnable // the harness could not run; a trial.Unrun too
)

// ending ends the program with the status that trials came to.
func ending(s trial.Status) error {
	if s == trial.Pass {
		return nil
	}
	return &cli.Error{Status: int(s)}
}

func main() {
	os.Exit(Main())
}

// Main is main with its exit status as result, so that tests can run the
// command line in a process of their own.
func Main() int {
	return cli.Run("throughline", func(ctx context.Context) error {
		for _, p := range platforms.All() {
			if p.Prepare != nil {
				p.Prepare()
			}
		}
		return newRoot().ExecuteContext(ctx)
	})
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "throughline",
		Short: "Prove that metrics stay continuous and correlated while instances come and go",
		Long: `Throughline runs a small real web stack (HAProxy, web instances with StatsD, a
MongoDB) under load, scales it, kills parts of it, and tells from the record
whether the metrics stayed continuous and correlated.

Start with:
  throughline list                      the built-in scenarios
  throughline run replace-an-instance   run one; its verdict is the exit status
  throughline explain WORD              what a word of its report means

Exit status: 0 pass, 1 fail, 2 inconclusive (the run proves nothing),
3 bad scenario or usage, 4 the harness could not run. Of several runs the worst
counts: 1, then 4, then 2.`,
	}
	root.AddCommand(newInit(), newRun(), newValidate(), newJudge(), newDiff(), newCheck(), newSchema(), newList(), newShow(), newExplain(), newUp(), newCtl(), newInventory(), newDatadog(), newWorkshop(), newSelftest(), newCollect(), newLoad(), newApp(), newAgent(), newDocstore(), newHealth(), newVersion(), newGuard(), newRespawn(), newPod(), newImage(), newKubernetes(), newCollector(), newWorker(), cli.NewMan())
	cli.Complete(root, operandWords, flagWords)
	cli.Finish(root)
	return root
}
