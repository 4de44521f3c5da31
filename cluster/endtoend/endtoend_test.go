//go:build linux

// Package endtoend brings whole clusters up, uses them as a test of the platform would, and sees that nothing is left of
// them. It holds tests alone; what they try is the program that `make cluster` has built.
package endtoend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

// A cluster of two nodes runs a deployment that this machine reaches, survives the loss of a node and of a kubelet, and goes
// without a trace.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it brings up a cluster and waits until nodes are missed, a minute")
	}
	c := open(t, 14)
	before := settings(t)
	c.run("up", "--nodes", "2")
	c.run("load", pack(t, c))
	client := c.client()
	service := deploy(t, client)
	var pods map[string]core.Pod
	eventually(t, "a pod ready on each node", func() (err error) {
		if pods, err = readyPods(client); err == nil && len(pods) < 2 {
			err = fmt.Errorf("ready: %d", len(pods))
		}
		return err
	})
	for name, p := range pods {
		if got, err := get("http://" + p.Status.PodIP + ":8080"); err != nil || got != p.Name {
			t.Errorf("pod %s on %s: %q, %v", p.Name, name, got, err)
		}
		port := fmt.Sprintf("http://%s:%d", p.Status.HostIP, service.Spec.Ports[0].NodePort)
		eventually(t, "the service answers at a port of "+name, func() error { _, err := get(port); return err })
	}
	clusterIP := "http://" + service.Spec.ClusterIP
	eventually(t, "the service answers", func() error { _, err := get(clusterIP); return err })
	if log, err := client.CoreV1().Pods("default").GetLogs(pods["node1"].Name, &core.PodLogOptions{}).DoRaw(context.Background()); err != nil {
		t.Errorf("log: %s, %v", log, err)
	}

	c.run("kill-node", "node1") // by which services were reached until now
	eventually(t, "node1 killed: NotReady", func() error { return nodeIs(client, "node1", core.ConditionUnknown) })
	if got, err := get("http://" + pods["node1"].Status.PodIP + ":8080"); err == nil {
		t.Errorf("a pod of a killed node answers: %q", got)
	}
	eventually(t, "the service answers by node2", func() error {
		got, err := get(clusterIP)
		if err == nil && got != pods["node2"].Name {
			err = fmt.Errorf("%q answers", got)
		}
		return err
	})
	c.run("start-node", "1")
	eventually(t, "node1 started: Ready", func() error { return nodeIs(client, "node1", core.ConditionTrue) })
	eventually(t, "the pod of node1 answers again", func() error {
		now, err := readyPods(client)
		if err == nil {
			_, err = get("http://" + now["node1"].Status.PodIP + ":8080")
		}
		return err
	})

	c.run("kill-kubelet", "node2")
	eventually(t, "kubelet of node2 killed: NotReady", func() error { return nodeIs(client, "node2", core.ConditionUnknown) })
	if got, err := get("http://" + pods["node2"].Status.PodIP + ":8080"); err != nil || got != pods["node2"].Name {
		t.Errorf("a pod of a node without kubelet: %q, %v", got, err)
	}
	c.run("start-kubelet", "node2")
	eventually(t, "kubelet of node2 started: Ready", func() error { return nodeIs(client, "node2", core.ConditionTrue) })
	c.run("up", "--nodes", "2") // is up already

	c.run("down")
	c.nothingLeft(before)
	c.run("down") // nothing to do
}

// What is cut short at any moment is found by whoever takes it down.
func TestDownFindsWhatAKilledOneHasLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it brings up a cluster twice, half a minute")
	}
	c := open(t, 15)
	before := settings(t)
	for _, there := range []string{"control", "node1/daemons"} { // first while the control plane starts, then a node
		up := c.command("up", "--nodes", "1")
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, there+" has processes", func() error {
			if len(c.groups().Processes(there)) == 0 {
				return errors.New("none")
			}
			return nil
		})
		if err := up.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := up.Wait(); err == nil {
			t.Fatalf("up has ended before it was killed")
		}
		c.run("down")
		c.nothingLeft(before)
	}
}

// A cluster that is held goes with its last holder, and stays while there is one.
func TestHold(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it brings up a cluster, ten seconds")
	}
	c := open(t, 15)
	before := settings(t)
	first, release := c.hold()
	second, releaseSecond := c.hold()
	if first != c.there.Kubeconfig() || first != second {
		t.Errorf("kubeconfigs %q and %q, want %s", first, second, c.there.Kubeconfig())
	}
	if out, err := c.command("up", "--nodes", "2").CombinedOutput(); err == nil || !strings.Contains(string(out), "it has 1 nodes, 2 are wanted, and somebody holds it") {
		t.Errorf("up, while others use it with fewer nodes: %v\n%s", err, out)
	}
	release()
	if err := nodeIs(c.client(), "node1", core.ConditionTrue); err != nil {
		t.Errorf("held by another: %v", err)
	}
	releaseSecond()
	c.nothingLeft(before)
}

// pack makes an image of the program hello.
func pack(t *testing.T, c cluster) string {
	t.Helper()
	program, archive := filepath.Join(t.TempDir(), "hello"), filepath.Join(t.TempDir(), "hello.tar")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "./hello")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./hello: %v\n%s", err, out)
	}
	c.run("pack", program, "localhost/hello:1", archive)
	return archive
}

// deploy makes a deployment with a pod on each of two nodes, and a service before it.
func deploy(t *testing.T, client *kubernetes.Clientset) *core.Service {
	t.Helper()
	labels, replicas, seconds := map[string]string{"app": "hello"}, int32(2), int64(1)
	pod := core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: labels}, Spec: core.PodSpec{
		TerminationGracePeriodSeconds: &seconds,
		TopologySpreadConstraints: []core.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "kubernetes.io/hostname",
			WhenUnsatisfiable: core.DoNotSchedule, LabelSelector: &meta.LabelSelector{MatchLabels: labels}}},
		Containers: []core.Container{{Name: "hello", Image: "localhost/hello:1", ImagePullPolicy: core.PullNever,
			ReadinessProbe: &core.Probe{PeriodSeconds: 1, ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8080)}}}}},
	}}
	_, err := client.AppsV1().Deployments("default").Create(context.Background(), &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: "hello"},
		Spec:       apps.DeploymentSpec{Replicas: &replicas, Selector: &meta.LabelSelector{MatchLabels: labels}, Template: pod},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := client.CoreV1().Services("default").Create(context.Background(), &core.Service{
		ObjectMeta: meta.ObjectMeta{Name: "hello"},
		Spec: core.ServiceSpec{Type: core.ServiceTypeNodePort, Selector: labels,
			Ports: []core.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return service
}
