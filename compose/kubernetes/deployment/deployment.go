// Package deployment follows and changes a Deployment that somebody runs in a cluster already: it tells of every pod that comes and goes by
// itself, and scales, restarts, gives another image and deletes, as far as its owner has said that the namespace is his.
//
// It is no platform: it starts nothing of its own, puts nothing back, and takes no pod for the Deployment's that a ReplicaSet of
// it does not own. Nobody calls it yet but tests: `stack.deployment` will, through scenarios/run.
package deployment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// OwnLabel is the label by which a namespace is said to be its user's, to be put under load and changed: OwnLabel=true.
const OwnLabel = "throughline.own"

// Config says which Deployment is meant.
type Config struct {
	Namespace string
	Name      string
	Container string // that serves; "": the only one
	Own       string // the namespace that the user says is his; "": its label has to say so
	// Pause is how long is waited before an API server is asked again that did not answer, or whether something has settled; 0: 500 ms.
	Pause time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Deployment is one that is there. It is safe for concurrent use.
type Deployment struct {
	cfg        Config
	client     kubernetes.Interface
	uid        types.UID
	selector   string
	autoscaler string // the HorizontalPodAutoscaler that scales it; "": none does

	mu   sync.Mutex
	sets map[types.UID]bool // ReplicaSets that were asked whose they are
}

// Open finds the Deployment, and refuses one that nobody has said to own, that has no such container, or that a second autoscaler scales. It
// changes nothing.
func Open(ctx context.Context, client kubernetes.Interface, c Config) (*Deployment, error) {
	if c.Pause == 0 {
		c.Pause = 500 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Deployment{cfg: c, client: client, sets: map[types.UID]bool{}}
	ns, err := client.CoreV1().Namespaces().Get(ctx, c.Namespace, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("deployment %s: no such namespace; name another, or make it", d)
	}
	if err != nil {
		return nil, fmt.Errorf("deployment %s: get its namespace: %w", d, err)
	}
	if err := owned(ns, c.Own); err != nil {
		return nil, fmt.Errorf("deployment %s: %w", d, err)
	}
	found, err := client.AppsV1().Deployments(c.Namespace).Get(ctx, c.Name, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("deployment %s: no such deployment (have %s)", d, d.others(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("deployment %s: %w", d, err)
	}
	if d.cfg.Container, err = containerOf(found, c.Container); err != nil {
		return nil, fmt.Errorf("deployment %s: %w", d, err)
	}
	selector, err := meta.LabelSelectorAsSelector(found.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("deployment %s: its selector: %w", d, err)
	}
	d.uid, d.selector = found.UID, selector.String()
	if d.autoscaler, err = d.findAutoscaler(ctx); err != nil {
		return nil, fmt.Errorf("deployment %s: %w", d, err)
	}
	return d, nil
}

// String is the Deployment as kubectl writes it with its namespace.
func (d *Deployment) String() string { return d.cfg.Namespace + "/" + d.cfg.Name }

// Autoscaler is the name of the HorizontalPodAutoscaler that scales it; "": none does.
func (d *Deployment) Autoscaler() string { return d.autoscaler }

// owned refuses a namespace that its user has not said to own, and those of the cluster itself whatever he says.
func owned(ns *core.Namespace, own string) error {
	switch {
	case strings.HasPrefix(ns.Name, "kube-"):
		return fmt.Errorf("namespace %s is the cluster's own; nothing in it is put under load or changed", ns.Name)
	case own == ns.Name, ns.Labels[OwnLabel] == "true":
		return nil
	}
	return fmt.Errorf("nobody says that namespace %s is yours; say --i-own %[1]s, or kubectl label namespace %[1]s %s=true", ns.Name, OwnLabel)
}

// containerOf finds the container that is meant.
func containerOf(d *apps.Deployment, name string) (string, error) {
	var have []string
	for _, c := range d.Spec.Template.Spec.Containers {
		have = append(have, c.Name)
	}
	switch {
	case name == "" && len(have) == 1:
		return have[0], nil
	case name == "":
		return "", fmt.Errorf("which container serves? name one of %s", strings.Join(have, ", "))
	case !slices.Contains(have, name):
		return "", fmt.Errorf("container %s: no such container (have %s)", name, strings.Join(have, ", "))
	}
	return name, nil
}

// others names the Deployments of the namespace, for an error.
func (d *Deployment) others(ctx context.Context) string {
	all, err := d.client.AppsV1().Deployments(d.cfg.Namespace).List(ctx, meta.ListOptions{})
	if err != nil || len(all.Items) == 0 {
		return "none"
	}
	var names []string
	for _, one := range all.Items {
		names = append(names, one.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// findAutoscaler finds who scales it. KEDA makes a HorizontalPodAutoscaler too.
func (d *Deployment) findAutoscaler(ctx context.Context) (string, error) {
	all, err := d.client.AutoscalingV2().HorizontalPodAutoscalers(d.cfg.Namespace).List(ctx, meta.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("list horizontalpodautoscalers: %w", err)
	}
	found := ""
	for _, h := range all.Items {
		if to := h.Spec.ScaleTargetRef; to.Kind != "Deployment" || to.Name != d.cfg.Name {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("horizontalpodautoscalers %s and %s both scale it, against each other; delete one", found, h.Name)
		}
		found = h.Name
	}
	return found, nil
}

// owns tells whether a ReplicaSet of the Deployment owns a pod. Those are asked for once.
func (d *Deployment) owns(ctx context.Context, pod *core.Pod) (bool, error) {
	by := meta.GetControllerOf(pod)
	if by == nil || by.Kind != "ReplicaSet" {
		return false, nil
	}
	d.mu.Lock()
	ours, known := d.sets[by.UID]
	d.mu.Unlock()
	if known {
		return ours, nil
	}
	set, err := d.client.AppsV1().ReplicaSets(d.cfg.Namespace).Get(ctx, by.Name, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil // it is gone, and its pods are going; another look may find another one of that name
	}
	if err != nil {
		return false, fmt.Errorf("whose is pod %s: get replicaset %s: %w", pod.Name, by.Name, err)
	}
	of := meta.GetControllerOf(set)
	ours = set.UID == by.UID && of != nil && of.UID == d.uid
	d.mu.Lock()
	d.sets[by.UID] = ours
	d.mu.Unlock()
	return ours, nil
}
