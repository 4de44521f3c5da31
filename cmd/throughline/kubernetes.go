package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/compose/kubernetes"
	"throughline/compose/kubernetes/job"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
)

func newKubernetes() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubernetes",
		Short: "Run scenarios from within a cluster, as a Job",
		Long: `Run this program inside a cluster, where the pods of its stack reach it, and have the
verdict and the record here. run does all of it; manifest prints what would be given to
the cluster, for those who have something else give it.

The nodes need the image of this program: see throughline image.`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKubernetesRun(), newKubernetesManifest())
	return cmd
}

// jobFlags are what both commands share.
type jobFlags struct {
	runFlags
	namespace string
	keep      bool
}

func (f *jobFlags) common(set *pflag.FlagSet) {
	set.Uint64Var(&f.seed, "seed", 0, "decides words and routes of the load (default: drawn, printed and recorded)")
	set.StringVar(&f.namespace, "namespace", "", "a namespace for the Job that is there, has the label "+job.Label+", and stays (default: one of its own)")
	set.StringVar(&f.kube.Registry, "registry", "", "from where nodes pull this program's image (default: they have it; see throughline image)")
	set.StringVar(&f.mongo, "mongo", "", "URI of a MongoDB that pods reach, to use instead of the embedded database; it is kept in a Secret")
	set.StringVar(&f.relay, "relay", "", "give every datagram of the instances, and events of what is done to them, to another StatsD that pods reach: udp://host:port")
}

// notInJobs are the flags of run that have no meaning here, each with the reason.
var notInJobs = []struct{ name, why string }{
	{"platform", "it is kubernetes"},
	{"dashboard", "the collector is in a pod; the page is forwarded"},
	{"haproxy", "HAProxy comes in an image"},
	{"mongod", "a pod has no program of this machine; the database is the embedded one, or one that is there (--mongo)"},
	{"mongo-image", "the database is the embedded one, or one that is there (--mongo)"},
	{"harness-address", "the run is in the cluster, where pods reach it"},
	{"i-own", "a stack that is there already is run against from here, with throughline run"},
	{"metrics-from", "write it into the file (metrics_from), with an address that pods reach"},
	{"metrics-every", "write it into the file (metrics_from)"},
	{"metrics-lag", "write it into the file (metrics_from)"},
	{"metrics-instance", "write it into the file (metrics_from)"},
	{"metrics-job", "write it into the file (metrics_from)"},
	{"metrics-token-file", "files of this machine do not get into the pod"},
	{"metrics-http-config", "files of this machine do not get into the pod"},
}

// refuse takes those flags, so that each can be refused with its reason.
func refuse(set *pflag.FlagSet) {
	for _, r := range notInJobs {
		set.String(r.name, "", "refused: "+r.why)
		_ = set.MarkHidden(r.name) // it is there
	}
}

func checkRefused(set *pflag.FlagSet) error {
	for _, r := range notInJobs {
		if set.Changed(r.name) {
			return fmt.Errorf("--%s: not with %s: %s; leave the flag out", r.name, "throughline kubernetes", r.why)
		}
	}
	return nil
}

func (f jobFlags) check(set *pflag.FlagSet) error {
	if err := checkRefused(set); err != nil {
		return err
	}
	if f.relay != "" && !strings.HasPrefix(f.relay, "udp://") {
		return fmt.Errorf("--relay %s: a pod reaches no socket of this machine; want udp://host:port", f.relay)
	}
	f.platform, f.dashboard = "kubernetes", off
	return errors.Join(f.runFlags.check(), f.forge.check(f.format), job.Spec{Run: "any", Namespace: f.namespace}.Check())
}

// mongoVariable is the variable of the pod's environment with the database's URI, which may have a password in it.
const mongoVariable = "THROUGHLINE_MONGO_URI"

// recordDir is where the run in the pod records, of which all is handed over.
const recordDir = job.Records + "/run"

// spec is the Job of a scenario, but for its name. source is what arg names.
func (f jobFlags) spec(arg, name string, source []byte, s script.Scenario) (job.Spec, error) {
	self, err := platforms.OwnFile()
	if err != nil {
		return job.Spec{}, err
	}
	made := job.Spec{Namespace: f.namespace, Pull: f.kube.Registry != "", Kept: f.keep}
	if made.Image, err = kubernetes.ImageOf(self, f.kube.Registry); err != nil {
		return made, err
	}
	words := []string{"run", "--platform", "kubernetes", "--out", recordDir}
	if f.kube.Registry != "" {
		words = append(words, "--registry", job.Literal(f.kube.Registry))
	}
	if f.relay != "" {
		words = append(words, "--relay", job.Literal(f.relay))
	}
	if f.mongo != "" {
		made.Secrets = map[string]string{mongoVariable: f.mongo}
		words = append(words, "--mongo", "$("+mongoVariable+")")
	}
	inPod := arg
	if arg == trial.Stdin || name == arg { // else it is built in, as it is in the image
		if inPod, made.Files, err = carried(name, source, s.Rules); err != nil {
			return made, err
		}
	}
	made.Args = append(words, "--", job.Literal(inPod))
	return made, nil
}

// with puts words of the run before its operand.
func with(s job.Spec, words ...string) job.Spec {
	at := len(s.Args) - 2 // "--", and the operand
	s.Args = slices.Concat(s.Args[:at], words, s.Args[at:])
	return s
}

// carried are a scenario's file and the files that it names by paths from there, as the pod has them, and the path of the
// first. It is put so deep that all of the others are below the same directory.
func carried(name string, source []byte, rules map[string]string) (file string, files map[string][]byte, err error) {
	base, depth := filepath.Base(name), 0
	if !strings.Contains(base, ".") {
		base += ".yaml" // standard input: a name without a path would be that of a built-in scenario
	}
	for rule := range rules {
		if filepath.IsAbs(rule) {
			return "", nil, fmt.Errorf("%s: alert: file %s: a pod does not have it; give its path from that of the scenario", name, rule)
		}
		up := strings.Count(path.Clean(filepath.ToSlash(rule))+"/", "../")
		depth = max(depth, up)
	}
	dir := strings.Repeat("scenario/", depth)
	file = dir + base
	files = map[string][]byte{file: source}
	for rule, content := range rules {
		files[path.Join(dir, filepath.ToSlash(rule))] = []byte(content)
	}
	return path.Join(job.Files, file), files, nil
}

// drawSeed draws a seed where none was given.
func (f *jobFlags) drawSeed(set *pflag.FlagSet) {
	if !set.Changed("seed") {
		f.seed = uint64(rand.Uint32()) // as run does
	}
}

func newKubernetesManifest() *cobra.Command {
	var flags jobFlags
	var run string
	cmd := &cobra.Command{
		Use:   "manifest FILE|NAME",
		Short: "Print the objects with which a cluster runs a scenario",
		Long: `Print the objects of the Job that kubernetes run makes for a scenario, as YAML that
kubectl apply takes: namespace, account, role, binding, Secret (the scenario's file and
what it names), Job. No cluster is asked.

Nobody waits for this Job: the pod's log has the verdict, its exit status is that of run,
and its record goes with the pod. Job and log stay for a day after the end, the rest until
somebody deletes it. The same command prints the same bytes.`,
		Example: `  throughline kubernetes manifest replace-an-instance | kubectl apply -f -
  throughline kubernetes manifest my-scenario.yaml | kubectl apply --dry-run=server -f -
  kubectl -n throughline-harness-quiet wait --for=condition=complete job/throughline-harness-quiet`,
		Args: cli.Operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := manifest(cmd, args[0], run, flags)
			if err != nil {
				return cli.Usage(err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	flags.format = "text"
	cmd.ValidArgsFunction = scenarioNames // cli.Complete knows commands of the root alone
	flags.common(cmd.Flags())
	cmd.Flags().StringVar(&run, "run", "", "what the objects are called, behind throughline-harness- (default: the scenario's name)")
	refuse(cmd.Flags())
	return cmd
}

func manifest(cmd *cobra.Command, arg, run string, flags jobFlags) ([]byte, error) {
	if err := flags.check(cmd.Flags()); err != nil {
		return nil, err
	}
	all, specs, err := flags.read(cmd, []string{arg})
	if err != nil {
		return nil, err
	}
	p, err := platforms.Find("kubernetes")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(append(p.Lacks.Of(all[0]), platforms.NotInPods(all[0])...)...); err != nil {
		return nil, err
	}
	s := with(specs[0], "--page", off)
	if cmd.Flags().Changed("seed") {
		s = with(s, "--seed", strconv.FormatUint(flags.seed, 10))
	}
	if s.Run = run; run == "" {
		s.Run = strings.Trim(shortened(all[0].Name), "-")
	}
	objects, err := s.Objects()
	if err != nil {
		return nil, err
	}
	return objects.YAML()
}

// shortened is a name as short as that of a Job may be.
func shortened(name string) string { return name[:min(len(name), 30)] }
