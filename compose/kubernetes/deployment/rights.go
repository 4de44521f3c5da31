package deployment

import (
	"context"
	"fmt"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Use is something that is done beside following.
type Use string

// What may be done.
const (
	Scaling  Use = "scale"
	Rollouts Use = "rollout" // Restart, SetImage
	Deletion Use = "delete"
)

// right is something that is done at the API server.
type right struct {
	of                           Use    // "": always
	verbs                        string // separated by blanks
	group, resource, subresource string
	why                          string
}

var rights = []right{
	{"", "get", "", "namespaces", "", "its label says whose it is"},
	{"", "get list", "apps", "deployments", "", "it is found, and seen to settle"},
	{"", "get", "apps", "replicasets", "", "they say which pods are the deployment's"},
	{"", "get list watch", "", "pods", "", "they are followed"},
	{"", "list", "autoscaling", "horizontalpodautoscalers", "", "one that scales the deployment is not worked against"},
	{Scaling, "get update", "apps", "deployments", "scale", "a step scales it"},
	{Rollouts, "patch", "apps", "deployments", "", "a step restarts it, or gives it another image"},
	{Deletion, "delete", "", "pods", "", "a step ends one"},
}

// MissingRights asks for each right in a namespace that following and these uses need, and gives an error for each that is missing.
func MissingRights(ctx context.Context, client kubernetes.Interface, namespace string, uses ...Use) (missing []error) {
	used := map[Use]bool{"": true}
	for _, u := range uses {
		used[u] = true
	}
	for _, r := range rights {
		if !used[r.of] {
			continue
		}
		for verb := range strings.FieldsSeq(r.verbs) {
			ask := authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorization.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: r.group, Resource: r.resource, Subresource: r.subresource,
			}}
			got, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorization.SelfSubjectAccessReview{Spec: ask}, meta.CreateOptions{})
			if err != nil {
				return append(missing, fmt.Errorf("kubernetes: ask for the right to %s %s: %w", verb, r, err))
			}
			if !got.Status.Allowed {
				missing = append(missing, fmt.Errorf("kubernetes: no right to %s %s in namespace %s (%s); grant it with a Role there", verb, r, namespace, r.why))
			}
		}
	}
	return missing
}

// String is the resource as kubectl spells it.
func (r right) String() string {
	name := r.resource
	if r.group != "" {
		name += "." + r.group
	}
	if r.subresource != "" {
		name += "/" + r.subresource
	}
	return name
}
