package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/compose/kubernetes"
	"throughline/compose/kubernetes/job"
	"throughline/live"
	"throughline/live/handover"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

const (
	podPagePort = 8900             // of the page of a run in a Job, on the loopback of its pod
	tryAgain    = time.Second      // between two tries to reach the run
	stopLimit   = 90 * time.Second // for a run to end that was told to
)

func newKubernetesRun() *cobra.Command {
	var flags jobFlags
	cmd := &cobra.Command{
		Use:   "run FILE|NAME...",
		Short: "Run scenarios from within a cluster and give a verdict on each",
		Long: `Run scenarios one after the other as throughline run --platform kubernetes does, from
within the cluster: for each, a Job is made in a namespace of its own, whose pod runs
this program, so that pods reach it whatever the network between here and there.

Here are the progress, the page, the record, the reports and the exit status, as with
throughline run. All of it comes through the API server (port forwarding), so that a
kubeconfig is all that is needed. The record is copied with its SHA-256, and again if the copy
broke, and judged here once more: a verdict that is not the same is told, and is no pass. When
the API server does not answer, this waits until it does, and nothing is lost.

Ctrl-C tells the run to stop; its record is still copied, and all is deleted. If this program
is killed, the run goes on to its end, waits for half a minute for somebody to
come for the record, and deletes the Job and what belongs to it. --keep leaves it.

Whatever can be refused without making anything is: rights of yours (by name), a namespace that
is somebody else's, a quota, Pod Security. That a node lacks the image shows with the first
pod, in the kubelet's words; then all is deleted again. See docs/KUBERNETES.md.

Flags of run that are about this machine are refused: --platform, --dashboard, --haproxy,
--mongod, --mongo-image, --harness-address, --i-own, and --metrics-*, which go into
the file.`,
		Example: `  throughline image throughline.tar && kind load image-archive throughline.tar
  throughline kubernetes run replace-an-instance
  throughline kubernetes run --kube-context staging --registry registry.example.com/test --junit junit.xml ci/*.yaml
  throughline kubernetes run --keep my-scenario.yaml`,
		Args: cli.Operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.drawSeed(cmd.Flags())
			return kubernetesRun(cmd, args, flags)
		},
	}
	cmd.ValidArgsFunction = scenarioNames // cli.Complete knows commands of the root alone
	f := cmd.Flags()
	flags.common(f)
	f.StringVar(&flags.out, "out", "", "directory of the record (default runs/TIME-SCENARIO; with several scenarios a folder in it for each)")
	f.StringVar(&flags.format, "format", "text", "of the verdict: text or json")
	f.StringVar(&flags.page, "page", "", "where a browser here can look on, or off (default "+pageAddr+", or the next port that is free)")
	f.BoolVar(&flags.open, "open", false, "open the page in a browser")
	f.StringVar(&flags.kube.Context, "kube-context", "", "the cluster: a context of the kubeconfig (default: the current one)")
	f.BoolVar(&flags.keep, "keep", false, "leave the Job, its log and its namespace, and say how to look at them and delete them")
	flags.forge.add(f)
	refuse(f)
	for flag, words := range map[string]cli.Completion{"format": cli.OneOf("text", "json"), "page": cli.OneOf(off)} {
		_ = cmd.RegisterFlagCompletionFunc(flag, words) // it is there
	}
	return cmd
}

// read gives the scenarios, and the Job of each.
func (f jobFlags) read(cmd *cobra.Command, args []string) ([]script.Scenario, []job.Spec, error) {
	reading := reader(cmd)
	var typed []byte
	if slices.Contains(args, trial.Stdin) { // which can be read once, and is wanted twice
		var err error
		if _, typed, err = reading.Source(trial.Stdin); err != nil {
			return nil, nil, err
		}
		reading.Stdin = bytes.NewReader(typed)
	}
	all, err := reading.ReadAll(args)
	if err != nil {
		return nil, nil, err
	}
	specs := make([]job.Spec, len(all))
	for i, s := range all {
		if s.Stack.External != nil {
			return nil, nil, fmt.Errorf("%s: stack.external: a stack that is there already is run against from here, with throughline run", s.Name)
		}
		reading.Stdin = bytes.NewReader(typed)
		name, source, err := reading.Source(args[i])
		if err == nil {
			specs[i], err = f.spec(args[i], name, source, s)
		}
		if err == nil {
			err = job.Spec{Run: "any", Files: specs[i].Files}.Check()
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return all, specs, nil
}

func kubernetesRun(cmd *cobra.Command, args []string, flags jobFlags) error {
	if err := flags.check(cmd.Flags()); err != nil {
		return cli.Usage(err)
	}
	all, specs, err := flags.read(cmd, args)
	if err != nil {
		return cli.Usage(err)
	}
	flags.platform, flags.kube.Inside = "kubernetes", true
	tell := func(err error) { fmt.Fprintf(cmd.ErrOrStderr(), "throughline: %v\n", err) }
	have, missing := trial.Preflight(all, func(some []script.Scenario) (trial.Environment, error) {
		return flags.lookInside(cmd.Context(), some, specs[0])
	}, tell)
	page := openForwarded(flags.page, tell)
	defer page.close()
	page.show(cmd.ErrOrStderr(), flags.open, tell)
	k := kubernetesRuns{flags: flags, specs: map[string]job.Spec{}, page: page, tell: tell}
	dirs := make([]string, len(all))
	sequence := trial.Sequence{
		Missing: missing, Tell: tell, Retries: flags.forge.retries, Hold: k.hold,
		Watch: func(s *live.Stream) (shown func()) { return report.Follow(cmd.ErrOrStderr(), os.Getenv, s) },
		Show: func(j trial.Judged) error {
			return show(cmd.OutOrStdout(), j, flags.format, j.Dir, report.TextOptions{More: judgeFlags{}.showsAll(j.Dir)})
		},
		Sum: func(results []report.Result) error {
			var failed error
			if flags.format == "text" && len(results) > 1 {
				on := report.NewTerminal(cmd.OutOrStdout(), os.Getenv)
				failed = report.WriteSummary(cmd.OutOrStdout(), results, report.TextOptions{Color: on.Color, Width: on.Width})
			}
			return errors.Join(failed, flags.forge.tellJUnit(results), flags.forge.tell(cmd, forged(all, dirs, results)))
		},
	}
	for i, s := range all {
		dirs[i] = trial.Directory(flags.out, s.Name, i, len(all))
		k.specs[dirs[i]] = specs[i]
		sequence.Trials = append(sequence.Trials, flags.trial(s, dirs[i], have[i]))
	}
	return ending(sequence.Run(cmd.Context()))
}

// lookInside finds all that keeps the scenarios, and the Job of one of them, from being run in the cluster.
func (f jobFlags) lookInside(ctx context.Context, some []script.Scenario, one job.Spec) (trial.Environment, error) {
	have, err := f.preflight(ctx, some)
	on, unreached := kubernetes.Connect(ctx, f.kube.Cluster())
	if unreached != nil {
		return have, err // which says so
	}
	one.Run, one.Attended = trial.NewID(time.Now()), true
	return have, errors.Join(append([]error{err}, job.Preflight(ctx, on.Client, one)...)...)
}

// kubernetesRuns holds trials in Jobs.
type kubernetesRuns struct {
	flags jobFlags
	specs map[string]job.Spec // by the directory of the trial
	page  *forwardedPage
	tell  func(error)
}

// hold has a trial held in a Job, copies its record, and judges that.
func (k kubernetesRuns) hold(ctx context.Context, t trial.Trial) (_ *trial.Judged, err error) {
	if _, err := os.Stat(filepath.Join(t.Dir, record.JournalFile)); err == nil {
		return nil, fmt.Errorf("%s: there is a record already, which is not written over; choose another directory", t.Dir)
	}
	on, err := kubernetes.Connect(ctx, k.flags.kube.Cluster())
	if err != nil {
		return nil, err
	}
	s := k.made(t)
	j, err := job.Submit(ctx, on, s)
	if err != nil {
		return nil, err
	}
	t.Live.Publish(live.Event{Kind: live.Note, Text: fmt.Sprintf("job %s in the namespace %s runs this", s.Name(), s.In())})
	defer func() {
		if k.flags.keep {
			t.Live.Publish(live.Event{Kind: live.Note, Text: kept(s)})
			return
		}
		err = errors.Join(err, j.Remove(ctx))
	}()
	defer k.page.lead(j)()
	return k.follow(ctx, t, j)
}

// made is the Job of a trial.
func (k kubernetesRuns) made(t trial.Trial) job.Spec {
	s := k.specs[t.Dir]
	s.Run, s.Attended = trial.NewID(time.Now()), true
	words := []string{"--seed", strconv.FormatUint(t.Seed, 10), "--hand-over", strconv.Itoa(handOverPort), "--page", off}
	if k.page != nil {
		words[len(words)-1] = net.JoinHostPort("127.0.0.1", strconv.Itoa(podPagePort))
	}
	if !k.flags.keep {
		whose := s.Run
		if s.Namespace != "" {
			whose += "/" + s.Namespace
		}
		words = append(words, "--attended", whose)
	}
	return with(s, words...)
}

// kept says what was left, and what to do with it.
func kept(s job.Spec) string {
	remove := "kubectl delete namespace " + s.In()
	if s.Namespace != "" {
		remove = fmt.Sprintf("kubectl --namespace %s delete job,secret,serviceaccount %s; kubectl delete clusterrole %[2]s", s.In(), s.Name())
	}
	return fmt.Sprintf("kept: kubectl --namespace %s logs job/%s shows its log; delete it: %s", s.In(), s.Name(), remove)
}

// follow shows the run to its end, and has its record here.
func (k kubernetesRuns) follow(ctx context.Context, t trial.Trial, j *job.Job) (*trial.Judged, error) {
	way := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return j.Dial(ctx, handOverPort) }}
	defer way.CloseIdleConnections()
	c := handover.Client{Way: way, Gone: j.Gone, Tell: k.tell, Rest: tryAgain, StopLimit: stopLimit}
	end, told, err := c.Follow(ctx, func(e live.Event) {
		if e.Kind == live.Begin && e.Scenario != nil {
			here := *e.Scenario
			here.Dir = t.Dir
			e.Scenario = &here
		}
		t.Live.Publish(e)
	})
	if err != nil {
		return nil, errors.Join(append([]error{err}, told...)...)
	}
	working := context.WithoutCancel(ctx) // the record comes also of a run that was interrupted
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := c.Fetch(working, t.Dir); err != nil {
		return nil, err
	}
	if err := c.Done(working); err != nil {
		k.tell(fmt.Errorf("the run is not told that its record was copied: %w", err)) // it ends by itself
	}
	return judgedHere(t, trial.Status(end.Status), told)
}

// judgedHere judges the record that came, which has to come to what it came to there.
func judgedHere(t trial.Trial, there trial.Status, told []error) (*trial.Judged, error) {
	if _, err := os.Stat(filepath.Join(t.Dir, record.JournalFile)); err != nil {
		if len(told) == 0 {
			told = []error{fmt.Errorf("the run ended with status %d and left no record", there)}
		}
		return nil, errors.Join(told...)
	}
	judged, err := trial.Judge(t.Dir, cli.Version())
	if err != nil {
		return nil, errors.Join(append(told, err)...)
	}
	var here bytes.Buffer
	if err := report.WriteJSON(&here, judged.Verdict); err != nil {
		return &judged, err
	}
	written, err := os.ReadFile(filepath.Join(t.Dir, report.VerdictFile))
	switch {
	case err != nil:
		return &judged, fmt.Errorf("the verdict that came with the record: %w", err)
	case !bytes.Equal(written, here.Bytes()):
		return &judged, fmt.Errorf("the record in %s is judged otherwise here than it was in the cluster (%s): its copy, or the program there, is not the same", t.Dir, report.VerdictFile)
	case there != judged.Status():
		return &judged, errors.Join(append(told, fmt.Errorf("the run ended with status %d, and its verdict is %d", there, judged.Status()))...)
	}
	return &judged, nil
}
