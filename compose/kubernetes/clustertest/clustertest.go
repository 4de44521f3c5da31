// Package clustertest gives tests a real Kubernetes of three nodes. It starts the program that `make cluster` builds
// (cluster/, a module of its own) and knows nothing of Kubernetes but a kubeconfig; a test talks to the cluster itself.
//
// Tests are all that import it. Test binaries that run at once share a cluster, which goes with the last of them, however
// that ends; one that `make cluster-up` has brought up stays. Where there is none, and none was built, tests are skipped and say so.
//
// A number in THROUGHLINE_CLUSTER chooses one of the clusters that can run side by side; without it none is brought up, and tests are
// skipped. THROUGHLINE_CLUSTER=own has tests use the cluster of KUBECONFIG, whatever it is. THROUGHLINE_CLUSTER_LOAD is then a
// command by which an image gets there, with its name after it: kind load docker-image.
package clustertest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Version is that of Kubernetes, as cluster/go.mod has it.
const Version = "v1.34.3"

// choice is what the environment says about which cluster is meant.
type choice struct {
	own        bool
	kubeconfig string // of an own one
	load       string // command that loads an image into an own one
	index      int    // of one of ours
	unasked    bool   // for a cluster
}

// choose reads the environment.
func choose(getenv func(string) string) (choice, error) {
	switch value := getenv("THROUGHLINE_CLUSTER"); value {
	case "":
		return choice{unasked: true}, nil
	case "own":
		c := choice{own: true, kubeconfig: getenv("KUBECONFIG"), load: getenv("THROUGHLINE_CLUSTER_LOAD")}
		if c.kubeconfig == "" {
			return choice{}, errors.New("THROUGHLINE_CLUSTER=own: KUBECONFIG is not set: set it to the file of your cluster")
		}
		return c, nil
	default:
		index, err := strconv.Atoi(value)
		if err != nil {
			return choice{}, fmt.Errorf("THROUGHLINE_CLUSTER=%s: want own, or the number of a cluster of ours", value)
		}
		return choice{index: index}, nil
	}
}

// only is the cluster of this test binary.
var only struct {
	sync.Mutex
	kubeconfig string
	err        error
	holds      io.Closer // the pipe that holds it, until this process ends
}

// Up gives the path of the kubeconfig of a cluster that runs, with the rights of an administrator.
func Up(t testing.TB) string {
	t.Helper()
	c, program := find(t)
	if c.own {
		return c.kubeconfig
	}
	only.Lock()
	defer only.Unlock()
	if only.kubeconfig == "" && only.err == nil {
		only.kubeconfig, only.holds, only.err = hold(program, c.index)
	}
	if only.err != nil {
		t.Fatalf("clustertest: %v", only.err)
	}
	return only.kubeconfig
}

// find gives the program of our clusters, unless the test is to have another.
func find(t testing.TB) (choice, string) {
	t.Helper()
	c, err := choose(os.Getenv)
	if err != nil {
		t.Fatalf("clustertest: %v", err)
	}
	if c.own {
		return c, ""
	}
	if c.unasked {
		t.Skip("SKIPPED, NOTHING PROVED: no cluster is wanted: make test-cluster runs what needs one, when nothing else runs")
	}
	program, err := Program("cluster")
	if err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOTHING PROVED: the nodes of a cluster want root; THROUGHLINE_CLUSTER=own has tests use another")
	}
	return c, program
}

// Program gives the path of one of the programs that `make cluster` has built: cluster, kubectl.
func Program(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("a cluster: %w", err)
	}
	path := filepath.Join(cache, "throughline", "kubernetes-"+Version, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: make cluster builds it", err)
	}
	return path, nil
}

// hold starts the process that brings the cluster up and keeps it until the pipe to it closes.
func hold(program string, index int) (kubeconfig string, holds io.Closer, err error) {
	cmd := exec.Command(program, "hold", "--index", strconv.Itoa(index))
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		if ended := cmd.Wait(); ended != nil {
			err = ended
		}
		return "", nil, fmt.Errorf("%s hold: %w\n%s", program, err, said.String())
	}
	return strings.TrimSpace(line), in, nil
}

// LoadImage puts an image of the local Docker engine onto every node. Pods find it there if their imagePullPolicy is
// IfNotPresent or Never.
func LoadImage(t testing.TB, name string) {
	t.Helper()
	Up(t)
	needDocker(t)
	c, program := find(t)
	if c.own {
		c.loadOwn(t, name)
		return
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	run(t, "docker", "save", "--output", archive, name)
	run(t, program, "load", "--index", strconv.Itoa(c.index), archive)
}

// LoadArchive does so with the image of that name in an archive as docker save writes it. A cluster of one's own gets it through the local Docker
// engine.
func LoadArchive(t testing.TB, archive, name string) {
	t.Helper()
	Up(t)
	c, program := find(t)
	if c.own {
		needDocker(t)
		run(t, "docker", "load", "--input", archive)
		c.loadOwn(t, name)
		return
	}
	run(t, program, "load", "--index", strconv.Itoa(c.index), archive)
}

// loadOwn executes the command that a person's own cluster is loaded by.
func (c choice) loadOwn(t testing.TB, name string) {
	t.Helper()
	if c.load == "" {
		t.Skip("SKIPPED, NOTHING PROVED: THROUGHLINE_CLUSTER_LOAD is not set: it says by which command an image gets into your cluster")
	}
	run(t, "sh", "-c", c.load+` "$0"`, name)
}

func needDocker(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
}

// KillNode pulls the plug of a node (node1 to node3), and starts it again when the test has ended. Tests of other binaries
// that share the cluster see that.
func KillNode(t testing.TB, node string) {
	t.Helper()
	Up(t)
	c, program := find(t)
	if c.own {
		t.Skip("SKIPPED, NOTHING PROVED: the nodes of your cluster are not killed")
	}
	index := strconv.Itoa(c.index)
	run(t, program, "kill-node", "--index", index, node)
	t.Cleanup(func() { run(t, program, "start-node", "--index", index, node) })
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("clustertest: %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
