package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/scenarios/report"
	"throughline/scenarios/trial"
)

// judgeFlags is the command line of judge.
type judgeFlags struct {
	format, checks, out string
	write, all          bool
}

func newJudge() *cobra.Command {
	var flags judgeFlags
	cmd := &cobra.Command{
		Use:   "judge DIR",
		Short: "Judge a recorded run again; the verdict is identical",
		Long: `Judge the record in DIR, which throughline run has written. Nothing is started,
and nothing but the record decides. A record that was altered after the run, by one
byte even, proves nothing, and the verdict names the file. Judged by another version of
throughline, a record may get another verdict, which names that version.

The text leads with what the run comes to. Findings that only follow from a cause are
folded under it; --all shows every one.

With --checks the record is judged by the checks (and waivers) of another scenario
file, of which nothing else is read; the verdict says that it is not the run's own.

With --write the verdict and the reports in DIR are written anew; with --out they
are written into another directory, and DIR stays as it is.`,
		Example: `  throughline judge runs/20260102-030405-quiet
  throughline judge --checks stricter.yaml --out /tmp/stricter runs/20260102-030405-quiet`,
		Args: cli.Operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return judge(cmd, args[0], flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.format, "format", "text", "of the verdict: text or json")
	f.StringVar(&flags.checks, "checks", "", "judge by the checks of this scenario file (- = standard input) or built-in scenario in place of the run's own")
	f.BoolVar(&flags.all, "all", false, "show every finding in full, also those that only follow from others")
	f.BoolVar(&flags.write, "write", false, "write verdict.json, junit.xml and report.html in DIR anew")
	f.StringVar(&flags.out, "out", "", "write verdict.json, junit.xml and report.html into this directory")
	return cmd
}

func (f judgeFlags) check() error {
	switch {
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: no such format (have text, json)", f.format)
	case f.all && f.format == "json":
		return fmt.Errorf("--all: has no meaning with --format json, which has all findings; leave one of the two out")
	case f.write && f.out != "":
		return fmt.Errorf("--write: has no meaning with --out %s, which writes there; leave one of the two out", f.out)
	case f.write && f.checks != "":
		return fmt.Errorf("--write: would put a verdict by other checks in the place of the run's own; give --out and another directory")
	}
	return nil
}

func judge(cmd *cobra.Command, dir string, flags judgeFlags) error {
	if err := flags.check(); err != nil {
		return cli.Usage(err)
	}
	judged, err := judgedBy(cmd, dir, flags.checks)
	if err != nil {
		return cli.Usage(err)
	}
	where := dir
	if flags.out != "" {
		where = flags.out
		if err := os.MkdirAll(where, 0o700); err != nil {
			return cli.Unable(fmt.Errorf("--out %s: cannot make the directory: %w; choose another", where, cli.Reason(err)))
		}
	}
	if flags.write || flags.out != "" {
		if err := judged.Write(where); err != nil {
			return cli.Unable(err)
		}
	}
	if flags.checks != "" && flags.out == "" {
		where = "" // the report in the record is of another verdict
	}
	options := report.TextOptions{All: flags.all, More: flags.showsAll(dir)}
	if err := show(cmd.OutOrStdout(), judged, flags.format, where, options); err != nil {
		return cli.Unable(err)
	}
	return ending(judged.Status())
}

// showsAll is the command that shows every finding of a record.
func (f judgeFlags) showsAll(dir string) string {
	if f.checks == "" {
		return "throughline judge --all " + dir
	}
	return fmt.Sprintf("throughline judge --all --checks %s %s", f.checks, dir)
}

// judgedBy judges by the run's own checks, or by those of another file.
func judgedBy(cmd *cobra.Command, dir, checks string) (trial.Judged, error) {
	if checks == "" {
		return trial.Judge(dir, cli.Version())
	}
	read := reader(cmd)
	name, source, err := read.Source(checks)
	if err != nil {
		return trial.Judged{}, err
	}
	return trial.JudgeBy(dir, cli.Version(), name, source, read.Rules(checks))
}

// show prints a verdict. The report is in the directory where, if there is one.
func show(w io.Writer, j trial.Judged, format, where string, o report.TextOptions) error {
	if format == "json" {
		return report.WriteJSON(w, j.Verdict)
	}
	page := filepath.Join(where, report.HTMLFile)
	if _, err := os.Stat(page); err != nil || where == "" {
		page = "" // a record that is judged where it may not be written
	}
	on := report.NewTerminal(w, os.Getenv)
	o.Color, o.Width, o.Where = on.Color, on.Width, page
	return report.WriteText(w, j.History, j.Verdict, o)
}
