package deployment

import (
	"context"
	"fmt"
	"slices"

	client "k8s.io/client-go/kubernetes"

	"throughline/compose/kubernetes"
)

// Use is something that is done beside following.
type Use string

// What may be done.
const (
	Scaling  Use = "scale"
	Rollouts Use = "rollout" // Restart, SetImage
	Deletion Use = "delete"
)

// rights are what following needs, and then what each use needs besides.
var rights = map[Use][]kubernetes.Right{
	"": {
		{Verbs: "get", Resource: "namespaces", Why: "its label says whose it is"},
		{Verbs: "get list", Group: "apps", Resource: "deployments", Why: "it is found, and seen to settle"},
		{Verbs: "get", Group: "apps", Resource: "replicasets", Why: "they say which pods are the deployment's"},
		{Verbs: "get list watch", Resource: "pods", Why: "they are followed"},
		{Verbs: "list", Group: "autoscaling", Resource: "horizontalpodautoscalers", Why: "one that scales the deployment is not worked against"},
	},
	Scaling:  {{Verbs: "get update", Group: "apps", Resource: "deployments", Subresource: "scale", Why: "a step scales it"}},
	Rollouts: {{Verbs: "patch", Group: "apps", Resource: "deployments", Why: "a step restarts it, or gives it another image"}},
	Deletion: {{Verbs: "delete", Resource: "pods", Why: "a step ends one"}},
}

// MissingRights asks for each right in a namespace that following and these uses need, and gives an error for each that is missing.
func MissingRights(ctx context.Context, c client.Interface, namespace string, uses ...Use) []error {
	all := rights[""]
	for _, of := range []Use{Scaling, Rollouts, Deletion} {
		if slices.Contains(uses, of) {
			all = slices.Concat(all, rights[of])
		}
	}
	return kubernetes.Ask(ctx, c, all, namespace, func(verb string, r kubernetes.Right) error {
		return fmt.Errorf("kubernetes: no right to %s %s in namespace %s (%s); grant it with a Role there", verb, r.Object(), namespace, r.Why)
	})
}
