// Package config writes what configures a node: its container runtime, its network, its kubelet and its kube-proxy, at the
// paths where the node finds them in its own /var. It starts nothing; package host calls it once for each node.
package config

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"throughline/cluster/plan"
)

// Where a node finds its configuration, and what the files of it are called.
const (
	Containerd      = "/var/lib/containerd.toml"
	Kubelet         = "/var/lib/kubelet/config.yaml"
	KubeletProfile  = "/var/lib/kubelet/kubeconfig"
	Proxy           = "/var/lib/kube-proxy/config.yaml"
	network         = "/var/lib/cni/net.d/10-pods.conflist"
	proxyProfile    = "/var/lib/kube-proxy/kubeconfig"
	kubeletIdentity = "/var/lib/kubelet/pki/"
)

// Node is what the files of a node depend on.
type Node struct {
	Cluster plan.Cluster
	Node    plan.Node
	Group   string // below which the kubelet makes control groups, as it calls it
	Pause   string // the image that holds a pod's namespaces
	Plugins string // the folder of the network plugins
}

//go:embed files
var files embed.FS

var templates = template.Must(template.ParseFS(files, "files/*"))

// Write fills home, the folder that is the node's root for these files, and takes the certificates from identity, which
// package pki has written.
func Write(home, identity string, n Node) error {
	for path, name := range map[string]string{
		Containerd: "containerd.toml",
		Kubelet:    "kubelet.yaml",
		Proxy:      "proxy.yaml",
		network:    "net.conflist",
	} {
		var text bytes.Buffer
		if err := templates.ExecuteTemplate(&text, name, n); err != nil {
			return fmt.Errorf("configuration of %s: %w", n.Node.Name, err)
		}
		if err := put(home, path, text.Bytes()); err != nil {
			return fmt.Errorf("configuration of %s: %w", n.Node.Name, err)
		}
	}
	for path, name := range map[string]string{
		KubeletProfile:               n.Node.Name + ".kubeconfig",
		proxyProfile:                 "proxy.kubeconfig",
		kubeletIdentity + "ca.crt":   "ca.crt",
		kubeletIdentity + "node.crt": n.Node.Name + ".crt",
		kubeletIdentity + "node.key": n.Node.Name + ".key",
	} {
		data, err := os.ReadFile(filepath.Join(identity, name))
		if err != nil {
			return fmt.Errorf("configuration of %s: %w", n.Node.Name, err)
		}
		if err := put(home, path, data); err != nil {
			return fmt.Errorf("configuration of %s: %w", n.Node.Name, err)
		}
	}
	return nil
}

func put(home, path string, data []byte) error {
	at := filepath.Join(home, path)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, data, 0o600)
}
