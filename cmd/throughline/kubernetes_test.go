package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"throughline/compose/docker"
	"throughline/compose/kubernetes/clustertest"
	"throughline/scenarios/record"
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

// kubectl is the program of the cluster that was built for tests, or that of one's own.
func kubectl() string {
	if own, err := clustertest.Program("kubectl"); err == nil {
		return own
	}
	return "kubectl"
}

// leftOf lists the namespaces that runs and their Jobs have left.
func leftOf(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, label := range []string{"throughline.run", "throughline.harness"} {
		left, err := exec.Command(kubectl(), "get", "namespaces,clusterroles,clusterrolebindings", "--output", "name", "--selector", label).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v", left, err)
		}
		all.Write(left)
	}
	return all.String()
}

// A scenario that is run from within the cluster comes to the verdict that its record comes to here, and leaves nothing there.
func TestPodsPassFromWithin(t *testing.T) {
	clustered(t)
	o := runBy(t, []string{"kubernetes", "run"}, "replace-an-instance")
	judgeAgain(t, o)
	if left := leftOf(t); left != "" {
		t.Errorf("left: %s", left)
	}
	if !strings.Contains(o.stderr, "replace") || !strings.Contains(o.stderr, "acked") {
		t.Errorf("no progress was shown:\n%s", o.stderr)
	}
	passes(t, o)
}

// Ctrl-C here stops the run there, whose record comes home all the same, accuses nobody and leaves nothing there.
func TestPodsOfARunThatIsInterrupted(t *testing.T) {
	clustered(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command(binary, "kubernetes", "run", "--format", "json", "--out", dir, "replace-an-instance")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	lines := bufio.NewScanner(stderr)
	for pressed := false; lines.Scan(); {
		fmt.Fprintln(&shown, lines.Text())
		if !pressed && strings.Contains(lines.Text(), "acked") { // the first phase is over
			pressed = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // its status is looked at
	if status := cmd.ProcessState.ExitCode(); status != exitInconclusive {
		t.Errorf("exit status %d, want %d\n%s", status, exitInconclusive, shown.String())
	}
	h, err := record.Read(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, shown.String())
	}
	if len(h.Requests) == 0 {
		t.Error("its record has no requests")
	}
	if left := leftOf(t); left != "" {
		t.Errorf("left: %s", left)
	}
}

// What manifest prints, a cluster takes.
func TestPodsOfAManifest(t *testing.T) {
	clustered(t)
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(scenarioOf(t, "quiet"), "scenario: quiet", "scenario: mine", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(binary, "kubernetes", "manifest", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	const name = "throughline-harness-mine"
	t.Cleanup(func() { _ = exec.Command(kubectl(), "delete", "namespace,clusterrole,clusterrolebinding", name).Run() })
	kube := func(stdin []byte, args ...string) string {
		cmd := exec.Command(kubectl(), args...)
		cmd.Stdin = bytes.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	kube(text, "apply", "--filename", "-")
	// It ends with the status of run: complete is a pass, and nothing else is.
	kube(nil, "--namespace", name, "wait", "--timeout", "180s", "--for", "jsonpath={.status.conditions[*].status}=True", "job/"+name)
	log := kube(nil, "--namespace", name, "logs", "job/"+name)
	if !strings.Contains(log, "PASS mine") && !strings.Contains(log, "INCONCLUSIVE mine") {
		t.Errorf("its log:\n%s", log)
	}
}

// scenarioOf is the text of a built-in scenario.
func scenarioOf(t *testing.T, name string) string {
	t.Helper()
	text, err := exec.Command(binary, "show", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Scenarios come to the same verdict where every instance is a pod, and leave no namespace.
func TestPodsPass(t *testing.T) {
	clustered(t)
	for _, name := range []string{"replace-an-instance", "kill-an-instance"} {
		t.Run(name, func(t *testing.T) {
			o := runScenario(t, name, "--platform", "kubernetes")
			judgeAgain(t, o)
			if left := leftOf(t); left != "" {
				t.Errorf("left: %s", left)
			}
			passes(t, o)
		})
	}
}
