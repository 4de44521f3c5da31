package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"throughline/compose/docker"
	"throughline/compose/kubernetes/clustertest"
)

// clustered marks a test that runs scenarios in a cluster, whose nodes have the images that it takes then. It runs when no other does.
func clustered(t *testing.T) {
	t.Helper()
	unhurried(t)
	if err := docker.Possible(t.Context()); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	if _, err := docker.Image(t.Context(), docker.HAProxyImage); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	t.Setenv("KUBECONFIG", clustertest.Up(t))
	archive := filepath.Join(t.TempDir(), "throughline.tar")
	name, err := exec.Command(binary, "image", archive).Output()
	if err != nil {
		t.Fatal(err)
	}
	clustertest.LoadArchive(t, archive, strings.TrimSpace(string(name)))
	clustertest.LoadImage(t, docker.HAProxyImage)
}

// Scenarios come to the same verdict where every instance is a pod, and leave no namespace.
func TestPodsPass(t *testing.T) {
	clustered(t)
	kubectl, err := clustertest.Program("kubectl")
	if err != nil {
		kubectl = "kubectl" // of one's own cluster
	}
	for _, name := range []string{"replace-an-instance", "kill-an-instance"} {
		t.Run(name, func(t *testing.T) {
			o := runScenario(t, name, "--platform", "kubernetes")
			judgeAgain(t, o)
			left, err := exec.Command(kubectl, "get", "namespaces", "--output", "name", "--selector", "throughline.run="+idOf(t, o.dir)).CombinedOutput()
			if err != nil || len(left) > 0 {
				t.Errorf("left: %s, %v", left, err)
			}
			passes(t, o)
		})
	}
}
