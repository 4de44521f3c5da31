package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/live"
	"throughline/scenarios/exam"
	"throughline/scenarios/report"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

// validateFlags is the command line of validate.
type validateFlags struct {
	runFlags
	subject subjectFlags
	quick   bool
	deploy  struct {
		command, image string
		env            map[string]string
	}
}

func newValidate() *cobra.Command {
	flags := validateFlags{}
	cmd := &cobra.Command{
		Use:   "validate [FILE|NAME] [-- COMMAND...]",
		Short: "Examine the instrumentation of an app in all ways, and grade it",
		Long: `Put an application through the standard examination: it is left alone, has an instance
replaced, killed, all of them deployed anew, frozen, scaled out and in, each in a
scenario of its own under load. Then there is one report, with a grade for each
property of its instrumentation (continuity, conservation, identity, shutdown,
correlation, hygiene, times, in-flight), and what was not examined, with the reason.

The application is that of a scenario's file (throughline init writes one), whose checks
are asked in every scenario; or it is described by flags, with its command behind --.

The grades follow from the verdicts alone: A, it held in every run that asked; B, it
held, and some runs proved nothing of it; C, D, F, it failed, by less than one in 1,000,
one in 100, or by more or in a way that has no amount; ?, nothing was proved; -, nobody
asked. docs/VALIDATE.md has the rules.

The directory of the report has validate.json, junit.xml and report.html, the scenarios
that were run (scenarios/kill.yaml, to go on with throughline run), and a record of each.
The exit status is that of throughline run on all of them: 0 pass, 2 inconclusive,
4 if one could not be run, 1 fail, which outranks them all; 3 bad file or usage.`,
		Example: `  throughline validate shop.yaml
  throughline validate --route 'order: POST /orders/{word}' --metric 'shop.orders: order' -- python3 shop.py
  throughline validate --quick --deploy 'python3 shop2.py' shop.yaml
  throughline validate --format json shop.yaml | jq -r '.grades[] | "\(.grade) \(.property)"'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() >= 0 {
				args = args[:cmd.ArgsLenAtDash()]
			}
			return cli.Operands(0, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				flags.seed = uint64(rand.Uint32()) // short enough to type again
			}
			return validate(cmd, args, flags)
		},
	}
	f := cmd.Flags()
	flags.subject.add(f)
	f.BoolVar(&flags.quick, "quick", false, "three scenarios in the place of six (steady, kill, deploy or restart), with shorter phases")
	f.StringVar(&flags.deploy.command, "deploy", "", "the command of a second version, as a shell has it, which is rolled out over the first")
	f.StringVar(&flags.deploy.image, "deploy-image", "", "the image of a second version, with --platform docker")
	f.StringToStringVar(&flags.deploy.env, "deploy-env", nil, "variables that a second version has beside those of the first, NAME=VALUE,NAME=VALUE")
	f.StringVar(&flags.out, "out", "", "directory of the report, the scenarios and the records (default runs/TIME-validate-NAME)")
	f.Uint64Var(&flags.seed, "seed", 0, "decides words and routes of the load (default: drawn, printed and recorded)")
	flags.common(f)
	f.StringVar(&flags.format, "format", "text", "of the report: text or json")
	flags.forge.add(f)
	again := f.Lookup("retry-inconclusive") // six runs have six chances to meet a moment in which the machine is busy
	again.DefValue = "1"
	_ = again.Value.Set(again.DefValue)
	return cmd
}

// scenario is the one that says what the application is: a file's, or one that is written of the flags.
func (f validateFlags) scenario(cmd *cobra.Command, args []string) (script.Scenario, error) {
	file, behind := args, []string(nil)
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		file, behind = args[:dash], args[dash:]
	}
	if len(file) == 1 {
		if len(behind) > 0 {
			return script.Scenario{}, fmt.Errorf("%s: says what the application is, and a command is behind -- too; give one of the two", file[0])
		}
		for _, name := range []string{"command", "image", "route", "metric", "timer", "gauge", "env", "health", "client-window", "instances", "database", "name"} {
			if cmd.Flags().Changed(name) {
				return script.Scenario{}, fmt.Errorf("--%s: %s says that; change it there, or leave the file out", name, file[0])
			}
		}
		return reader(cmd).Read(file[0])
	}
	d, err := f.subject.draft(behind)
	if err != nil {
		return script.Scenario{}, err
	}
	if len(d.Counters) == 0 {
		return script.Scenario{}, errors.New("no metric: name a counter of requests, --metric 'shop.orders: order'; throughline init finds those that there are")
	}
	source, err := d.Source()
	if err != nil {
		return script.Scenario{}, err
	}
	return script.Parse(d.Name+".yaml", source, reader(cmd).Options)
}

// options are how it is examined.
func (f validateFlags) options(cmd *cobra.Command) (exam.Options, error) {
	o := exam.Options{Quick: f.quick, Deploy: map[string]string{}, Reader: reader(cmd).Options}
	if cmd.Flags().Changed("rate") {
		o.Rate = float64(f.subject.rate)
		if !(o.Rate >= 1 && o.Rate <= script.MaxRate/2) {
			return o, fmt.Errorf("--rate %s: want 1/s to %d/s", f.subject.rate.String(), script.MaxRate/2)
		}
	}
	if f.deploy.command != "" {
		words, err := shellquote.Split(f.deploy.command)
		if err != nil || len(words) == 0 {
			return o, fmt.Errorf("--deploy %s: no command as a shell has it", f.deploy.command)
		}
		o.Deploy["command"] = exam.Flow(words)
	}
	if f.deploy.image != "" {
		o.Deploy["image"] = exam.Quoted(f.deploy.image)
	}
	if len(f.deploy.env) > 0 {
		o.Deploy["env"] = exam.Variables(f.deploy.env)
	}
	return o, nil
}

// validate examines an application.
func validate(cmd *cobra.Command, args []string, flags validateFlags) error {
	s, err := flags.scenario(cmd, args)
	options, bad := flags.options(cmd)
	if err = errors.Join(err, bad, flags.check(), flags.forge.check(flags.format)); err != nil {
		return cli.Usage(err)
	}
	subject, err := exam.Of(s)
	if err != nil {
		return cli.Usage(err)
	}
	out := flags.out
	if out == "" {
		out = trial.NewDirectory("validate-" + s.Name)
	}
	parts, left := subject.Parts(options)
	if len(parts) == 0 {
		return cli.Usage(fmt.Errorf("%s: nothing of it can be examined: %s", s.File, left[len(left)-1].Why))
	}
	if err := keep(out, parts); err != nil {
		return cli.Unable(err)
	}
	return ending(flags.examine(cmd, s.Name, out, parts, left))
}

// keep writes the scenarios of an examination into its directory, and has them called by their files.
func keep(out string, parts []exam.Part) error {
	dir := filepath.Join(out, "scenarios")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--out %s: cannot make the directory: %w; choose another", out, cli.Reason(err))
	}
	for i := range parts {
		s := &parts[i].Scenario
		s.File = filepath.Join(dir, parts[i].Name+".yaml")
		if err := os.WriteFile(s.File, s.Source, 0o600); err != nil { // it may hold what the application is told in its environment
			return fmt.Errorf("%s: cannot be written: %w", s.File, cli.Reason(err))
		}
	}
	return nil
}

// examine runs the parts, one after the other, and reports what they come to.
func (f validateFlags) examine(cmd *cobra.Command, name, out string, parts []exam.Part, left []exam.Left) trial.Status {
	all := make([]script.Scenario, len(parts))
	for i, p := range parts {
		all[i] = p.Scenario
	}
	tell := func(err error) { fmt.Fprintf(cmd.ErrOrStderr(), "throughline: %v\n", err) }
	have, missing := trial.Preflight(all, func(some []script.Scenario) (trial.Environment, error) { return f.preflight(cmd.Context(), some) }, tell)
	dirs := make([]string, len(parts))
	sequence := trial.Sequence{
		Missing: missing, Tell: tell, Retries: f.forge.retries,
		Watch: func(s *live.Stream) (shown func()) { return report.Follow(cmd.ErrOrStderr(), os.Getenv, s) },
		Show:  func(trial.Judged) error { return nil }, // there is one report of all
	}
	sequence.Sum = func(results []report.Result) error {
		return errors.Join(f.tell(cmd, name, out, parts, left, dirs, results), f.forge.tell(cmd, forged(all, dirs, results)))
	}
	window := openWindow(f.runFlags, nil, tell)
	defer window.close()
	window.show(f.open, tell)
	window.tell(cmd.ErrOrStderr())
	for i, s := range all {
		dirs[i] = trial.Directory(out, s.Name, i, max(len(all), 2))
		t := f.trial(s, dirs[i], have[i])
		t.Screen, t.Roster = window.screen, window.roster
		sequence.Trials = append(sequence.Trials, t)
	}
	return sequence.Run(cmd.Context())
}

// tell writes the one report.
func (f validateFlags) tell(cmd *cobra.Command, name, out string, parts []exam.Part, left []exam.Left, dirs []string, results []report.Result) error {
	runs := make([]exam.Run, len(results))
	for i, r := range results {
		runs[i] = exam.Run{Name: parts[i].Name, About: parts[i].About, File: parts[i].Scenario.File, Dir: dirs[i], Verdict: r.Verdict, Unrun: r.Unrun}
	}
	whole := exam.Summarize(name, runs, left)
	whole.ToolVersion, whole.Seed = cli.Version(), f.seed
	written := report.WriteExam(out, whole)
	if f.format == "json" {
		return errors.Join(written, report.WriteExamJSON(cmd.OutOrStdout(), whole))
	}
	on := report.NewTerminal(cmd.OutOrStdout(), os.Getenv)
	return errors.Join(written, report.WriteExamText(cmd.OutOrStdout(), out, whole, report.TextOptions{Color: on.Color, Width: on.Width}))
}
