package clustertest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestVersionIsThatOfTheModule(t *testing.T) {
	mod, err := os.ReadFile("../../../cluster/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\n\tk8s.io/kubernetes "+Version+"\n") {
		t.Errorf("cluster/go.mod has another k8s.io/kubernetes than %s", Version)
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want choice
		err  string
	}{
		{nil, choice{unasked: true}, ""},
		{map[string]string{"KUBECONFIG": "/x"}, choice{unasked: true}, ""}, // somebody's cluster is not used unasked
		{map[string]string{"THROUGHLINE_CLUSTER": "7"}, choice{index: 7}, ""},
		{map[string]string{"THROUGHLINE_CLUSTER": "own", "KUBECONFIG": "/x", "THROUGHLINE_CLUSTER_LOAD": "kind load docker-image"},
			choice{own: true, kubeconfig: "/x", load: "kind load docker-image"}, ""},
		{map[string]string{"THROUGHLINE_CLUSTER": "own"}, choice{}, "KUBECONFIG is not set"},
		{map[string]string{"THROUGHLINE_CLUSTER": "kind"}, choice{}, "THROUGHLINE_CLUSTER=kind: want own"},
	} {
		got, err := choose(func(name string) string { return c.env[name] })
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %+v, %v", c.env, got, err)
		}
	}
}

// What hold says when there is no cluster to be had is in the error.
func TestHoldFails(t *testing.T) {
	program := t.TempDir() + "/cluster"
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho no room >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := hold(program, 0); err == nil || !strings.Contains(err.Error(), "exit status 1\nno room") {
		t.Errorf("%v", err)
	}
}

// The cluster is there, is the same for the next who asks, and loses a node when that is killed, which comes back.
func TestUp(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it brings up a cluster and waits until a node is missed, half a minute")
	}
	kubeconfig := Up(t)
	if again := Up(t); again != kubeconfig {
		t.Errorf("another cluster the second time: %s, %s", kubeconfig, again)
	}
	if c, err := choose(os.Getenv); err != nil || c.own {
		t.Skipf("SKIPPED, NOTHING PROVED: the nodes of your cluster are not killed (%v)", err)
	}
	waitReady(t, kubeconfig, "node1 node2 node3")
	t.Run("kill", func(t *testing.T) {
		KillNode(t, "node2")
		waitReady(t, kubeconfig, "node1 node3")
	})
	waitReady(t, kubeconfig, "node1 node2 node3")
}

// waitReady returns when those nodes are Ready and no other is.
func waitReady(t *testing.T, kubeconfig, want string) {
	t.Helper()
	kubectl, err := Program("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	const ready = `{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}`
	var got []string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		out, err := exec.Command(kubectl, "--kubeconfig", kubeconfig, "get", "nodes", "-o", "jsonpath="+ready).CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl get nodes: %v\n%s", err, out)
		}
		got = nil
		for _, node := range strings.Fields(string(out)) {
			if name, is := strings.CutSuffix(node, "=True"); is {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") == want {
			return
		}
	}
	t.Fatalf("nodes %v are Ready, want %s", got, want)
}
