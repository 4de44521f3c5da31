package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/cluster/pki"
	"throughline/cluster/plan"
)

func TestWrite(t *testing.T) {
	home, identity, c := t.TempDir(), t.TempDir(), plan.Cluster{Index: 2, Nodes: 3}
	if err := pki.Write(identity, c, time.Now()); err != nil {
		t.Fatal(err)
	}
	n := Node{Cluster: c, Node: c.Node(2), Group: "/x/node2/pods", Pause: "localhost/pause:1", Plugins: "/usr/lib/cni"}
	if err := Write(home, identity, n); err != nil {
		t.Fatal(err)
	}
	for path, lines := range map[string][]string{
		Containerd:     {`sandbox_image = "localhost/pause:1"`, `bin_dir = "/usr/lib/cni"`, `conf_dir = "/var/lib/cni/net.d"`},
		Kubelet:        {"cgroupRoot: /x/node2/pods", "address: 10.90.2.12"},
		Proxy:          {"hostnameOverride: node2", "clusterCIDR: 10.102.0.0/16", "bindAddress: 10.90.2.12"},
		KubeletProfile: {"server: https://10.90.2.1:6443"},
	} {
		text, err := os.ReadFile(filepath.Join(home, path))
		if err != nil {
			t.Error(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line+"\n") {
				t.Errorf("%s: has no line %q:\n%s", path, line, text)
			}
		}
	}
	var conflist struct{ Plugins []struct{ Type string } }
	text, err := os.ReadFile(filepath.Join(home, network))
	if err := errors.Join(err, json.Unmarshal(text, &conflist)); err != nil || len(conflist.Plugins) != 2 || !strings.Contains(string(text), `"10.102.2.0/24"`) {
		t.Errorf("network: %v: %s", err, text)
	}
	own, err := os.ReadFile(filepath.Join(home, kubeletIdentity, "node.key"))
	if err := errors.Join(err, same(own, filepath.Join(identity, "node2.key"))); err != nil {
		t.Error(err)
	}
}

func same(data []byte, path string) error {
	other, err := os.ReadFile(path)
	if err == nil && string(other) != string(data) {
		err = errors.New("the node has another key than " + path)
	}
	return err
}

func TestWriteWithoutCertificates(t *testing.T) {
	c := plan.Cluster{Nodes: 1}
	err := Write(t.TempDir(), t.TempDir(), Node{Cluster: c, Node: c.Node(1)})
	if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "configuration of node1: ") {
		t.Errorf("%v", err)
	}
}
