package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Scale has n pods wanted. Beside an autoscaler it is refused, for that would undo it. It returns when the API server has it; see Settled.
func (d *Deployment) Scale(ctx context.Context, n int32) error {
	fail := func(err error) error { return fmt.Errorf("scale deployment %s to %d: %w", d, n, err) }
	if d.autoscaler != "" {
		return fail(fmt.Errorf("horizontalpodautoscaler %s would undo it; change the load, which it follows, or its minReplicas and maxReplicas", d.autoscaler))
	}
	all := d.client.AppsV1().Deployments(d.cfg.Namespace)
	now, err := all.GetScale(ctx, d.cfg.Name, meta.GetOptions{})
	if err != nil {
		return fail(err)
	}
	if now.Spec.Replicas == n {
		return fail(fmt.Errorf("that many are wanted already, so nothing would happen"))
	}
	now.Spec.Replicas = n
	if _, err := all.UpdateScale(ctx, d.cfg.Name, now, meta.UpdateOptions{}); err != nil { // a conflict says that somebody else changes it just now
		return fail(err)
	}
	return nil
}

// restartedAt is what kubectl rollout restart changes in a template.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// Restart has every pod replaced by one of the same, as kubectl rollout restart does.
func (d *Deployment) Restart(ctx context.Context) error {
	return d.template(ctx, "restart", func(now *apps.Deployment) (map[string]any, error) {
		at := d.cfg.Now().UTC().Format(time.RFC3339Nano)
		return map[string]any{"metadata": map[string]any{"annotations": map[string]string{restartedAt: at}}}, nil
	})
}

// SetImage has every pod replaced by one whose container has another image.
func (d *Deployment) SetImage(ctx context.Context, image string) error {
	return d.template(ctx, "set image "+image+" of", func(now *apps.Deployment) (map[string]any, error) {
		for _, c := range now.Spec.Template.Spec.Containers {
			if c.Name == d.cfg.Container && c.Image == image {
				return nil, fmt.Errorf("container %s has it already, so nothing would happen", c.Name)
			}
		}
		return map[string]any{"spec": map[string]any{"containers": []map[string]string{{"name": d.cfg.Container, "image": image}}}}, nil
	})
}

// template changes the template that pods are made of, which is a rollout.
func (d *Deployment) template(ctx context.Context, what string, change func(*apps.Deployment) (map[string]any, error)) error {
	fail := func(err error) error { return fmt.Errorf("%s deployment %s: %w", what, d, err) }
	all := d.client.AppsV1().Deployments(d.cfg.Namespace)
	now, err := all.Get(ctx, d.cfg.Name, meta.GetOptions{})
	if err != nil {
		return fail(err)
	}
	if now.Spec.Paused {
		return fail(fmt.Errorf("its rollouts are paused, so nothing would happen; kubectl rollout resume deployment/%s", d.cfg.Name))
	}
	template, err := change(now)
	if err != nil {
		return fail(err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": now.ResourceVersion}, "spec": map[string]any{"template": template}})
	if err != nil {
		return fail(err)
	}
	if _, err := all.Patch(ctx, d.cfg.Name, types.StrategicMergePatchType, patch, meta.PatchOptions{}); err != nil {
		return fail(err)
	}
	return nil
}

// Delete asks for the end of a pod, and leaves it its own grace. It does not end another one that has its name by then.
func (d *Deployment) Delete(ctx context.Context, pod string) error {
	fail := func(err error) error { return fmt.Errorf("delete %s: %w", pod, err) }
	found, err := d.client.CoreV1().Pods(d.cfg.Namespace).Get(ctx, pod, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fail(fmt.Errorf("no such pod in namespace %s", d.cfg.Namespace))
	}
	if err != nil {
		return fail(err)
	}
	ours, err := d.owns(ctx, found)
	switch {
	case err != nil:
		return fail(err)
	case !ours:
		return fail(fmt.Errorf("it is no pod of deployment %s, and is left alone", d))
	case found.DeletionTimestamp != nil:
		return fail(fmt.Errorf("somebody has asked for its end already; choose another"))
	}
	if err := d.client.CoreV1().Pods(d.cfg.Namespace).Delete(ctx, pod, *meta.NewPreconditionDeleteOptions(string(found.UID))); err != nil {
		return fail(err)
	}
	return nil
}

// Settled returns when all pods that are wanted are of the newest template and serve, and no others are there. It gives up, and
// says why, when the Deployment does: when its progressDeadlineSeconds are over.
func (d *Deployment) Settled(ctx context.Context) error {
	for {
		now, err := d.client.AppsV1().Deployments(d.cfg.Namespace).Get(ctx, d.cfg.Name, meta.GetOptions{})
		missing := "the API server does not answer"
		if err == nil {
			if missing, err = lacks(now); err != nil {
				return fmt.Errorf("deployment %s: %w", d, err)
			}
		}
		if missing == "" {
			return nil
		}
		if err := d.rest(ctx); err != nil {
			return fmt.Errorf("deployment %s has not settled: %s: %w", d, missing, err)
		}
	}
}

// lacks tells what a rollout still waits for; "": nothing. An error says that it will wait in vain.
func lacks(d *apps.Deployment) (string, error) {
	s, want := d.Status, int32(1) // what is wanted where nothing is said
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	if s.ObservedGeneration < d.Generation {
		return "its controller has not seen the change", nil
	}
	for _, c := range s.Conditions {
		if c.Type == apps.DeploymentProgressing && c.Status == core.ConditionFalse {
			return "", fmt.Errorf("its rollout does not get on: %s: %s", c.Reason, c.Message)
		}
		if c.Type == apps.DeploymentReplicaFailure && c.Status == core.ConditionTrue {
			return fmt.Sprintf("no pod can be made: %s: %s", c.Reason, c.Message), nil // a quota may have room again
		}
	}
	switch {
	case s.UpdatedReplicas < want:
		return fmt.Sprintf("%d of %d pods are of the newest template", s.UpdatedReplicas, want), nil
	case s.Replicas > want:
		return fmt.Sprintf("%d pods are there beside the %d that are wanted", s.Replicas-want, want), nil
	case s.AvailableReplicas < want:
		return fmt.Sprintf("%d of %d pods serve", s.AvailableReplicas, want), nil
	case s.TerminatingReplicas != nil && *s.TerminatingReplicas > 0: // where the API server tells it
		return fmt.Sprintf("%d pods are still ending", *s.TerminatingReplicas), nil
	}
	return "", nil
}
