package kubernetes

import (
	"context"
	"fmt"

	"throughline/compose"
)

// Needs is what some runs want of the platform.
type Needs struct {
	Cluster  Cluster
	Self     string // path of this binary
	Registry string // from where nodes pull its image; empty: they have it
	MongoURI string // of a database that is there already; empty: there is none
	Inside   bool   // the runs are in the cluster, so that it is no matter where pods reach this program
}

// Preflight looks for the cluster and for all rights, and gives all that is missing. It starts nothing.
func Preflight(ctx context.Context, n Needs) (found Images, missing []error) {
	var err error
	found = Images{Pull: n.Registry != "", HAProxy: HAProxyImage}
	if found.Self, err = ImageOf(n.Self, n.Registry); err != nil {
		missing = append(missing, fmt.Errorf("this program in an image: %w", err))
	}
	if err := reachable(n.MongoURI); err != nil {
		missing = append(missing, err)
	}
	look := connect
	if n.Inside {
		look = func(ctx context.Context, c Cluster) (reached, error) { r, _, err := ask(ctx, c); return r, err }
	}
	r, err := look(ctx, n.Cluster)
	if err != nil {
		return found, append(missing, err) // without a cluster there are no rights to ask for
	}
	return found, append(missing, missingRights(ctx, r.client)...)
}

// reachable refuses a MongoDB that listens where pods do not reach it.
func reachable(uri string) error {
	if at, own := compose.OnLoopback(uri); own {
		return fmt.Errorf("--mongo %s: in a pod that is the pod itself; give an address that pods reach", at)
	}
	return nil
}

// Version is that of the cluster that runs would take, and where its API server is. It starts nothing.
func Version(ctx context.Context, c Cluster) (version, at string, err error) {
	r, err := connect(ctx, c)
	return r.version, r.where, err
}
