package platforms

import (
	"context"
	"os/exec"
	"strings"

	"throughline/compose/docker"
	"throughline/compose/haproxy"
	"throughline/compose/httpd"
	"throughline/compose/kubernetes"
	"throughline/compose/mongoset"
)

// Program is one that the platforms start or ask, as it was looked for on this machine.
type Program struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // empty: it is not there
	At      string `json:"at,omitempty"`      // path, or where the engine answers
	Missing string `json:"missing,omitempty"` // why it cannot be had, in one line
}

// Programs looks for all of them, as runs do. It starts none of them to stay.
func Programs(ctx context.Context) []Program {
	looks := []struct {
		name string
		look func(context.Context) (version, at string, err error)
	}{{"haproxy", lookForHAProxy}, {"httpd", lookForHTTPD}, {"docker", docker.Engine}, {"kubernetes", lookForCluster}, {"mongod", lookForMongod}}
	all := make([]Program, len(looks))
	for i, l := range looks {
		all[i].Name = l.name
		version, at, err := l.look(ctx)
		if err != nil {
			all[i].Missing, _, _ = strings.Cut(err.Error(), "\n")
			continue
		}
		all[i].Version, all[i].At = version, at
	}
	return all
}

func lookForHAProxy(ctx context.Context) (version, at string, err error) {
	if at, err = haproxy.Find(""); err != nil {
		return "", "", err
	}
	release, err := haproxy.Version(ctx, at)
	return release.Text, at, err
}

func lookForHTTPD(ctx context.Context) (version, at string, err error) {
	p, err := httpd.Find(ctx)
	return p.Version, p.Binary, err
}

func lookForCluster(ctx context.Context) (version, at string, err error) {
	return kubernetes.Version(ctx, kubernetes.Cluster{})
}

// lookForMongod looks on PATH, where no run does: it is named with --mongod.
func lookForMongod(ctx context.Context) (version, at string, err error) {
	at, err = exec.LookPath("mongod")
	if err != nil {
		return "", "", err
	}
	p, err := mongoset.Find(ctx, at)
	return p.Version, at, err
}
