package platforms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"throughline/compose/kubernetes"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scenarios/trial"
	"throughline/scratch"
)

// Kubernetes is what a user may choose of a cluster.
type Kubernetes struct {
	Context  string // of the kubeconfig; empty: the current one
	Registry string // from where nodes pull this program's image; empty: they have it
	Home     string // the address of this machine that pods reach; empty: it is found
	Inside   bool   // the run is in the cluster as well, and this program waits for it elsewhere
}

// refusedElsewhere says which option has no meaning where there is no cluster.
func (k Kubernetes) refusedElsewhere() error {
	for _, flag := range []struct{ name, value string }{{"kube-context", k.Context}, {"registry", k.Registry}, {"harness-address", k.Home}} {
		if flag.value != "" {
			return fmt.Errorf("--%s %s: it is for --platform kubernetes; leave the flag out", flag.name, flag.value)
		}
	}
	return nil
}

// Cluster is the one that is chosen.
func (k Kubernetes) Cluster() kubernetes.Cluster {
	return kubernetes.Cluster{Context: k.Context, Home: k.Home}
}

const takeAnother = "use --platform local"

func onKubernetes() Platform {
	return Platform{
		Name: "kubernetes", About: "pods",
		Lacks: trial.Lacks{
			Images:     "what an image executes by itself is not known to the cluster's API; use --platform docker",
			Commands:   "a pod has nothing of this machine; " + takeAnother,
			OwnAddress: "pods share one StatsD address and are known by their own, which a relay would hide", Elsewhere: takeAnother,
			Agents:  "an agent runs beside its instance, as a process of this machine, and a pod does not reach it",
			OwnDisk: "a pod has no file system of its own that could be filled from here",
			Respawn: "HAProxy is the one program of its pod, which ends with it",
		},
		look: lookKubernetes,
		refuses: func(o Options) error {
			for _, flag := range []struct{ name, value, instead string }{
				{"haproxy", o.HAProxy, "HAProxy comes in an image"},
				{"mongod", o.Mongod, "the database is the embedded one, or one that is there already (--mongo)"},
				{"mongo-image", o.MongoImage, "the database is the embedded one, or one that is there already (--mongo)"},
			} {
				if flag.value != "" {
					return fmt.Errorf("--%s %s: on kubernetes %s; leave the flag out", flag.name, flag.value, flag.instead)
				}
			}
			return nil
		},
	}
}

func lookKubernetes(ctx context.Context, all []script.Scenario, o Options) (trial.Environment, []error) {
	self, err := OwnFile()
	if err != nil {
		return trial.Environment{}, []error{err}
	}
	found, missing := kubernetes.Preflight(ctx, kubernetes.Needs{Cluster: o.Kubernetes.Cluster(), Self: self, Registry: o.Kubernetes.Registry, MongoURI: o.MongoURI, Inside: o.Kubernetes.Inside})
	for _, s := range all {
		missing = append(missing, NotInPods(s)...)
	}
	return trial.Environment{
		HAProxyVersion: found.HAProxy, Limit: time.Minute,
		Open: func(ctx context.Context, c run.Config) (run.Config, func(context.Context) error, error) {
			return openKubernetes(ctx, c, self, o.Kubernetes.Cluster(), found)
		},
	}, missing
}

// NotInPods gives what the scenario asks of the platform in vain, beside what every platform may lack.
func NotInPods(s script.Scenario) (missing []error) {
	if s.Stack.HTTPD {
		missing = append(missing, fmt.Errorf("%s: stack.httpd: its processes are asked and ended from inside its container, which cannot be done in a pod yet; %s", s.Name, takeAnother))
	}
	if s.Stack.CloudWatch.Told() {
		missing = append(missing, fmt.Errorf("%s: stack.cloudwatch: the kernels that count what pods use are those of the nodes, which are not asked; %s", s.Name, takeAnother))
	}
	if s.Needs(script.CPULimits) {
		missing = append(missing, fmt.Errorf("%s: step limit: a pod's CPU is not limited while it runs; %s", s.Name, takeAnother))
	}
	return missing
}

// podCommand are the words with which this program is executed in a pod.
var podCommand = []string{"pod"}

func openKubernetes(ctx context.Context, c run.Config, self string, cluster kubernetes.Cluster, images kubernetes.Images) (run.Config, func(context.Context) error, error) {
	temporary, err := scratch.New("run")
	if err != nil {
		return c, nil, err
	}
	platform, err := kubernetes.New(ctx, kubernetes.Config{Dir: c.Dir, Run: c.Run.ID, Cluster: cluster, Images: images, Pod: podCommand})
	if err != nil {
		return c, nil, errors.Join(err, temporary.Remove())
	}
	c.Platform, c.Scratch, c.Collector, c.Worker = platform, temporary.Path, []string{self, "collector"}, []string{self, "worker"}
	return c, func(ctx context.Context) error { return errors.Join(platform.Close(ctx), temporary.Remove()) }, nil
}
