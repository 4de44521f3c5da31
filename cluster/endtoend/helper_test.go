//go:build linux

package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"throughline/cluster/cgroup"
	"throughline/cluster/host"
)

// patience is how long a test waits for what takes seconds on an idle machine.
const patience = 3 * time.Minute

// cluster is the one of a test: its program, and its number, which nobody else uses.
type cluster struct {
	t       *testing.T
	program string
	index   string
	there   *host.Cluster
}

// open finds the program, or skips, and sees to it that the test leaves nothing.
func open(t *testing.T, index int) cluster {
	t.Helper()
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(mod), "\n\tk8s.io/kubernetes ")
	version, _, _ := strings.Cut(after, "\n")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(cache, "throughline", "kubernetes-"+version)
	c := cluster{t: t, program: filepath.Join(bin, "cluster"), index: fmt.Sprint(index)}
	if _, err := os.Stat(c.program); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v: make cluster builds it", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOTHING PROVED: the nodes of a cluster want root")
	}
	if c.there, err = host.Open(index, bin, io.Discard); err != nil {
		t.Fatal(err)
	}
	c.run("down") // what an earlier test has left when it was killed
	t.Cleanup(func() { c.run("down") })
	return c
}

// command is `cluster COMMAND ARGUMENT...`.
func (c cluster) command(args ...string) *exec.Cmd {
	return exec.Command(c.program, append([]string{"--index", c.index}, args...)...)
}

func (c cluster) run(args ...string) {
	c.t.Helper()
	began := time.Now()
	out, err := c.command(args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("cluster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	c.t.Logf("cluster %s: %.1f s", strings.Join(args, " "), time.Since(began).Seconds())
}

// hold starts a holder of a cluster of one node, and gives what it says; release ends it, and waits for what it does then.
func (c cluster) hold() (kubeconfig string, release func()) {
	c.t.Helper()
	cmd := c.command("hold", "--nodes", "1")
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.t.Fatalf("cluster hold: %v, %v\n%s", err, cmd.Wait(), said.String())
	}
	return strings.TrimSpace(line), func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			c.t.Errorf("cluster hold: %v\n%s", err, said.String())
		}
	}
}

// nothingLeft holds the machine against what it was before the cluster.
func (c cluster) nothingLeft(before map[string]string) {
	c.t.Helper()
	for _, thing := range c.there.Left() {
		c.t.Errorf("after down there is still: %s", thing)
	}
	for name, value := range settings(c.t) {
		if value != before[name] {
			c.t.Errorf("%s: is %s after down, was %s", name, value, before[name])
		}
	}
}

// settings are those of the whole machine that a kubelet changes.
func settings(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, name := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"} {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err != nil {
			t.Fatal(err)
		}
		values[name] = strings.TrimSpace(string(value))
	}
	return values
}

// groups are where the cluster's processes are.
func (c cluster) groups() cgroup.Tree {
	c.t.Helper()
	tree, err := cgroup.Open(cgroup.Mount, c.there.Name())
	if err != nil {
		c.t.Fatal(err)
	}
	return tree
}

func (c cluster) client() *kubernetes.Clientset {
	c.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.there.Kubeconfig())
	if err != nil {
		c.t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// eventually asks until there is no error, and logs how long that took.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := ask()
		if err == nil {
			t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("%s: not after %s: %v", what, patience, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// get gives the body of what a URL answers.
func get(url string) (string, error) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return strings.TrimSpace(string(text)), err
}

// nodeIs says what is wrong if a node's Ready condition is another.
func nodeIs(client *kubernetes.Clientset, name string, want core.ConditionStatus) error {
	n, err := client.CoreV1().Nodes().Get(context.Background(), name, meta.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type == core.NodeReady && condition.Status == want {
			return nil
		}
	}
	return fmt.Errorf("%s: %+v", name, n.Status.Conditions)
}

// readyPods gives the Ready pods of the test's deployment, by their node.
func readyPods(client *kubernetes.Clientset) (map[string]core.Pod, error) {
	list, err := client.CoreV1().Pods("default").List(context.Background(), meta.ListOptions{LabelSelector: "app=hello"})
	if err != nil {
		return nil, err
	}
	pods := map[string]core.Pod{}
	for _, p := range list.Items {
		for _, condition := range p.Status.Conditions {
			if condition.Type == core.PodReady && condition.Status == core.ConditionTrue && p.DeletionTimestamp == nil {
				pods[p.Spec.NodeName] = p
			}
		}
	}
	return pods, nil
}
