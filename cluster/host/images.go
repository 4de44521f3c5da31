//go:build linux

package host

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"throughline/cluster/node"
	"throughline/cluster/plan"
)

// Pause is the image that holds a pod's namespaces, and pauseFile has it in the folder of the programs.
const (
	Pause     = "localhost/pause:1"
	pauseFile = "pause.tar"
)

// Load puts the images of an archive (as `docker save` writes it) onto every node that runs. Pods find them there if their
// imagePullPolicy is IfNotPresent or Never. A node that is killed later keeps them; one that does not run now goes without.
func (c *Cluster) Load(archive string) error {
	archive, err := filepath.Abs(archive)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	errs := make([]error, c.Nodes)
	loaded := 0
	for i, n := range c.All() {
		if id := c.process(n); id != 0 {
			loaded++
			running.Go(func() { errs[i] = load(n, id, archive) })
		}
	}
	running.Wait()
	if loaded == 0 {
		return fmt.Errorf("load %s: no node runs: up starts them", archive)
	}
	return errors.Join(errs...)
}

// load talks to the node's container runtime, which has no place on this machine, through the eyes of its process 1.
func load(n plan.Node, id int, archive string) error {
	out, err := exec.Command("ctr", "--address", within(id, node.Socket), "--namespace", "k8s.io", "images", "import", "--digests=false", archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("load %s onto %s: %w: %s", archive, n.Name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
