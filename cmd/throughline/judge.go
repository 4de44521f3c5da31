package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

// judgeFlags is the command line of judge.
type judgeFlags struct {
	format, checks, out string
	write               bool
}

func newJudge() *cobra.Command {
	var flags judgeFlags
	cmd := &cobra.Command{
		Use:   "judge DIR",
		Short: "Judge a recorded run again; the verdict is identical",
		Long: `Judge the record in DIR, which throughline run has written. Nothing is started,
and nothing but the record decides. A record that was altered after the run, by one
byte even, proves nothing, and the verdict names the file.

With --checks the record is judged by the checks (and waivers) of another scenario
file, of which nothing else is read; the verdict says that it is not the run's own.

With --write the verdict and the reports in DIR are written anew; with --out they
are written into another directory, and DIR stays as it is.`,
		Example: `  throughline judge runs/20260102-030405-quiet
  throughline judge --checks stricter.yaml --out /tmp/stricter runs/20260102-030405-quiet`,
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return judge(cmd, args[0], flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.format, "format", "text", "of the verdict: text or json")
	f.StringVar(&flags.checks, "checks", "", "judge by the checks of this scenario file (- = standard input) or built-in scenario in place of the run's own")
	f.BoolVar(&flags.write, "write", false, "write verdict.json, junit.xml and report.html in DIR anew")
	f.StringVar(&flags.out, "out", "", "write verdict.json, junit.xml and report.html into this directory")
	return cmd
}

func (f judgeFlags) check() error {
	switch {
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: no such format (have text, json)", f.format)
	case f.write && f.out != "":
		return fmt.Errorf("--write: has no meaning with --out %s, which writes there; leave one of the two out", f.out)
	case f.write && f.checks != "":
		return fmt.Errorf("--write: would put a verdict by other checks in the place of the run's own; give --out and another directory")
	}
	return nil
}

func judge(cmd *cobra.Command, dir string, flags judgeFlags) error {
	if err := flags.check(); err != nil {
		return usage(err)
	}
	history, err := record.Read(dir)
	if err != nil {
		return usage(err)
	}
	verdict, err := verdictOf(cmd, dir, history, flags.checks)
	if err != nil {
		return usage(err)
	}
	where := dir
	if flags.out != "" {
		where = flags.out
		if err := os.MkdirAll(where, 0o700); err != nil {
			return harness(fmt.Errorf("--out %s: cannot make the directory: %w; choose another", where, reason(err)))
		}
	}
	if flags.write || flags.out != "" {
		if _, err := report.WriteAll(where, history, verdict); err != nil {
			return harness(err)
		}
	}
	if flags.checks != "" && flags.out == "" {
		where = "" // the report in the record is of another verdict
	}
	if err := show(cmd.OutOrStdout(), history, verdict, shown{format: flags.format, dir: where}); err != nil {
		return harness(err)
	}
	if status := exitOf(verdict.Outcome); status != exitPass {
		return &statusError{status: status}
	}
	return nil
}

// verdictOf judges by the run's own checks, or by those of another file.
func verdictOf(cmd *cobra.Command, dir string, history record.History, checks string) (verdict.Verdict, error) {
	if checks == "" {
		verdict, err := check.Judge(history)
		if err != nil {
			err = fmt.Errorf("%s: %w", filepath.Clean(dir), err)
		}
		return verdict, err
	}
	name, source, err := sourceOf(checks, cmd.InOrStdin())
	if err != nil {
		return verdict.Verdict{}, err // it names the file
	}
	return check.JudgeBy(history, name, source)
}
