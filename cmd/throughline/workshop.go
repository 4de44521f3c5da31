package main

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/docs"
	"throughline/live"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/gallery"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
	"throughline/scratch"
	"throughline/workshop"
)

// workshopPeriod is by which periods CloudWatch tells of the stack on which the talk is played.
const workshopPeriod = 5 * time.Second

func newWorkshop() *cobra.Command {
	flags := upFlags{runFlags: runFlags{format: "text"}, web: workshop.Instances, cloudwatch: workshopPeriod, rum: true, members: workshop.Members, cloud: true}
	var unattended bool
	cmd := &cobra.Command{
		Use:   "workshop",
		Short: "Play the talk, slide by slide, on a real stack",
		Long: `Bring the stack up, under load, and lead through the talk on a page: what each slide
says on the left, the live picture on the right, a button that does it, what there is to
see, and whether it was seen, which is asked of the collector. It works offline, on a
laptop with HAProxy and nothing else. docs/WORKSHOP.md says the same for those who read.

The first Ctrl-C ends the stack: there is a verdict on all that was done. The page stays,
with the encore: somebody breaks the application's instrumentation, somebody guesses, and
a verdict tells. The next Ctrl-C ends that.

With --unattended all steps are played without a browser, one line for each, then there
is the verdict, then one defect. The exit status is 1 if something was not seen.`,
		Example: `  throughline workshop
  throughline workshop --unattended`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := flags.scenario(cmd)
			if err == nil && flags.dashboard == off {
				err = errors.New("--dashboard off: the workshop asks the collector; give it an address, or leave it out")
			}
			if err != nil {
				return cli.Usage(err)
			}
			t, err := newTour(cmd, &flags, unattended)
			if err != nil {
				return cli.Unable(err)
			}
			flags.tour = t
			return up(cmd, s, flags)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&unattended, "unattended", false, "play all steps without anybody, and say what was seen")
	f.IntVar(&flags.port, "port", 0, "where the load balancer serves (default: any free port)")
	flags.rate = gentle
	f.Var(&flags.rate, "rate", "requests per second")
	flags.common(f)
	f.StringVar(&flags.out, "out", "", "directory for logs and record (default: a temporary one, removed at the end)")
	return cmd
}

// tour leads through the talk beside a stack that is up. The nil tour leads nobody: its
// methods do nothing.
type tour struct {
	talk       workshop.Talk
	player     *workshop.Player
	encore     *workshop.Encore
	stage      *workshop.Stage
	hand       *run.Hand
	unattended bool
	out        io.Writer
	look       func()        // has the page look for what changed
	done       chan struct{} // closed when the unattended have gone through
	unseen     int
	failed     error
}

func newTour(cmd *cobra.Command, flags *upFlags, unattended bool) (*tour, error) {
	talk, err := workshop.TheTalk()
	if err != nil {
		return nil, err
	}
	t := &tour{talk: talk, unattended: unattended, out: cmd.OutOrStdout(), look: func() {}, done: make(chan struct{})}
	entries, _, err := gallery.Select(talk.Defects...)
	if err != nil {
		return nil, err
	}
	b := breaker{flags: flags, options: reader(cmd).Options, version: cli.Version()}
	t.encore = workshop.NewEncore(defectsOf(entries), causesOf(entries), b, rand.IntN, func() { t.look() })
	return t, nil
}

func defectsOf(entries []gallery.Entry) (all []workshop.Defect) {
	for _, e := range entries {
		all = append(all, workshop.Defect{Name: e.Name, About: e.About, Causes: culprits(e)})
	}
	return all
}

// culprits are the causes that explain an entry: of what follows from another, that one.
func culprits(e gallery.Entry) []string {
	if e.Want.Behind != "" {
		return []string{e.Want.Behind}
	}
	return e.Want.Causes
}

// causesOf are what can be guessed, by their titles: all that one of the entries may have.
func causesOf(entries []gallery.Entry) (all []workshop.Cause) {
	for _, d := range docs.Diagnoses() {
		if slices.ContainsFunc(entries, func(e gallery.Entry) bool { return slices.Contains(culprits(e), d.Cause) }) {
			all = append(all, workshop.Cause{Name: d.Cause, Title: d.Titled("an instance", false)})
		}
	}
	return all
}

// attach has the hand make the moves, and the page lead.
func (t *tour) attach(hand *run.Hand, w *window) {
	if t == nil {
		return
	}
	t.hand = hand
	if w.server != nil {
		t.look = w.server.Look
	}
	t.player = workshop.NewPlayer(t.talk, hand, func() { t.look() })
	t.stage = workshop.NewStage(t.player, t.encore)
	w.lead(t.stage)
}

// ready says where the collector is. The unattended begin.
func (t *tour) ready(ctx context.Context, at run.Addresses) {
	if t == nil {
		return
	}
	t.player.Up(workshop.Collector{URL: at.Metrics})
	if !t.unattended {
		return
	}
	go func() {
		defer close(t.done)
		t.unseen, t.failed = t.player.Unattended(ctx, t.out)
		t.hand.End()
	}()
}

// encoreOf plays the encore when the stack is down, and gives the end of the command: the
// unattended break one thing, others go on by the page until ctx ends. interrupted is
// the context that the first Ctrl-C has ended.
func (t *tour) encoreOf(ctx, interrupted context.Context, status trial.Status) error {
	if t == nil {
		return ending(status)
	}
	defer t.stage.Close()
	if !t.unattended {
		if ctx.Err() == nil {
			fmt.Fprintln(t.out, "The page stays, with the encore; Ctrl-C ends it.")
		}
		<-ctx.Done()
		return ending(status)
	}
	if interrupted.Err() != nil { // not all was played
		return ending(trial.Worse(status, trial.Inconclusive))
	}
	if status == trial.Unrun {
		return ending(status)
	}
	<-t.done
	found, err := t.encore.Unattended(ctx, t.talk.Defects[0], t.out)
	if err = errors.Join(t.failed, err); err != nil {
		return cli.Unable(err)
	}
	if !found {
		t.unseen++
	}
	if t.unseen > 0 {
		fmt.Fprintf(t.out, "%d were not seen\n", t.unseen)
		status = trial.Worse(status, trial.Fail)
	}
	return ending(status)
}

// breaker has entries of the gallery run, each on a stack of its own.
type breaker struct {
	flags   *upFlags
	options script.Options
	version string
}

// Break implements workshop.Breaker.
func (b breaker) Break(ctx context.Context, defect string) (_ workshop.Verdict, err error) {
	entries, _, err := gallery.Select(defect)
	if err != nil {
		return workshop.Verdict{}, err
	}
	s, err := script.Parse(defect+".yaml", []byte(entries[0].Stage.Scenario(defect)), b.options)
	if err != nil {
		return workshop.Verdict{}, err
	}
	dir, err := scratch.New("encore")
	if err != nil {
		return workshop.Verdict{}, err
	}
	defer func() { err = errors.Join(err, dir.Remove()) }()
	flags := b.flags.runFlags
	flags.out, flags.dashboard, flags.seed = dir.Path, off, uint64(rand.Uint32())
	have, err := flags.preflight(ctx, []script.Scenario{s})
	if err != nil {
		return workshop.Verdict{}, err
	}
	t := flags.trial(s, dir.Path, have)
	t.Live = new(live.Stream)
	judged, err := t.Run(ctx)
	if judged == nil {
		return workshop.Verdict{}, err
	}
	return verdictOf(judged.Verdict), nil
}

// verdictOf is what participants are told.
func verdictOf(of verdict.Verdict) workshop.Verdict {
	v := workshop.Verdict{Outcome: of.Outcome.String(), Sentence: of.Sentence}
	for _, e := range of.Explanations {
		if e.Cause != "" {
			v.Causes = append(v.Causes, e.Cause)
		}
	}
	return v
}

// lead has the page lead through the talk: its aside has what stage says.
func (w *window) lead(stage *workshop.Stage) {
	w.stage = stage
	if w.server != nil && w.moves != nil {
		w.server.Handle("POST "+workshop.Path, w.moves.Guard(stage))
	}
}

// led is the aside of a page that leads through the talk, and the script for it.
func (w *window) led() (template.HTML, template.JS) {
	if w.stage == nil {
		return "", ""
	}
	return w.stage.Aside(), template.JS(workshop.Script)
}
