//go:build linux

package host

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// control is the group of the control plane, which runs on this machine itself.
const control = "control"

// graceOfNodes is for how long a node may be silent until it is NotReady, and then its pods are moved (after what their
// tolerations say, 300 s unless a pod has its own). It is a third of the default, because tests wait for it.
const graceOfNodes = "12s"

// startControl starts etcd, the API server, and, when that is ready, the controller manager and the scheduler.
func (c *Cluster) startControl() error {
	if err := c.groups.Make(control); err != nil {
		return err
	}
	etcd, err := c.command("etcd", c.etcd())
	if err != nil {
		return err
	}
	server, err := c.command("kube-apiserver", c.server())
	if err != nil {
		return err
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	err = until(func() error { return api.get("/readyz", nil) }, etcd, server)
	if err != nil {
		return err
	}
	manager, scheduler := c.client("controller-manager"), c.client("scheduler")
	manager["use-service-account-credentials"] = "true"
	manager["service-account-private-key-file"] = c.at("pki", "sa.key")
	manager["root-ca-file"] = c.at("pki", "ca.crt")
	manager["node-monitor-period"] = "1s"
	manager["node-monitor-grace-period"] = graceOfNodes
	if _, err = c.command("kube-controller-manager", manager); err != nil {
		return err
	}
	_, err = c.command("kube-scheduler", scheduler)
	return err
}

// flags of a command of Kubernetes.
type flags map[string]string

func (c *Cluster) command(name string, f flags) (*daemon, error) {
	var args []string
	for flag, value := range f {
		args = append(args, "--"+flag+"="+value)
	}
	return c.spawn(control, name, filepath.Join(c.bin, name), args...)
}

const etcdClients, etcdPeers = 2379, 2380

func (c *Cluster) url(port uint16) string {
	return "https://" + netip.AddrPortFrom(c.Loopback(), port).String()
}

func (c *Cluster) etcd() flags {
	return flags{
		"name":                        "etcd",
		"data-dir":                    c.at("etcd"),
		"unsafe-no-fsync":             "true", // it need not survive the machine
		"listen-client-urls":          c.url(etcdClients),
		"advertise-client-urls":       c.url(etcdClients),
		"listen-peer-urls":            c.url(etcdPeers),
		"initial-advertise-peer-urls": c.url(etcdPeers),
		"initial-cluster":             "etcd=" + c.url(etcdPeers),
		"cert-file":                   c.at("pki", "etcd.crt"),
		"key-file":                    c.at("pki", "etcd.key"),
		"trusted-ca-file":             c.at("pki", "ca.crt"),
		"client-cert-auth":            "true",
		"peer-cert-file":              c.at("pki", "etcd.crt"),
		"peer-key-file":               c.at("pki", "etcd.key"),
		"peer-trusted-ca-file":        c.at("pki", "ca.crt"),
		"peer-client-cert-auth":       "true",
	}
}

func (c *Cluster) server() flags {
	return flags{
		"etcd-servers":                     c.url(etcdClients),
		"etcd-cafile":                      c.at("pki", "ca.crt"),
		"etcd-certfile":                    c.at("pki", "etcd.crt"),
		"etcd-keyfile":                     c.at("pki", "etcd.key"),
		"bind-address":                     c.Host().String(),
		"advertise-address":                c.Host().String(),
		"secure-port":                      "6443",
		"tls-cert-file":                    c.at("pki", "apiserver.crt"),
		"tls-private-key-file":             c.at("pki", "apiserver.key"),
		"client-ca-file":                   c.at("pki", "ca.crt"),
		"service-account-issuer":           "https://kubernetes.default.svc",
		"service-account-key-file":         c.at("pki", "sa.pub"),
		"service-account-signing-key-file": c.at("pki", "sa.key"),
		"service-cluster-ip-range":         c.Services().String(),
		"authorization-mode":               "Node,RBAC",
		"enable-admission-plugins":         "NodeRestriction",
		"allow-privileged":                 "true",
		"kubelet-client-certificate":       c.at("pki", "apiserver-kubelet.crt"),
		"kubelet-client-key":               c.at("pki", "apiserver-kubelet.key"),
		"kubelet-certificate-authority":    c.at("pki", "ca.crt"),
		"kubelet-preferred-address-types":  "InternalIP",
		"profiling":                        "false",
	}
}

// client has the flags that the API server's clients in the control plane share.
func (c *Cluster) client(name string) flags {
	profile := c.at("pki", name+".kubeconfig")
	return flags{
		"kubeconfig":                profile,
		"authentication-kubeconfig": profile,
		"authorization-kubeconfig":  profile,
		"bind-address":              c.Loopback().String(),
		"leader-elect":              "false",
		"profiling":                 "false",
	}
}

// until asks until there is no error, one of the daemons has ended, or patience has.
func until(ask func() error, daemons ...*daemon) error {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ask()
		if err == nil {
			return nil
		}
		for _, d := range daemons {
			select {
			case err := <-d.ended:
				return d.why(err)
			default:
			}
		}
		if time.Now().After(end) {
			for _, d := range daemons {
				err = fmt.Errorf("%w\n%s says last:\n%s", err, d.name, tail(d.log))
			}
			return fmt.Errorf("after %s: %w", patience, err)
		}
	}
}

// api asks the API server as the administrator.
type api struct {
	base   string
	client http.Client
}

func (c *Cluster) api() (*api, error) {
	ca, err := os.ReadFile(c.at("pki", "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("cluster %d: is not up: %w", c.Index, err)
	}
	own, err := tls.LoadX509KeyPair(c.at("pki", "admin.crt"), c.at("pki", "admin.key"))
	if err != nil {
		return nil, fmt.Errorf("cluster %d: %w", c.Index, err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &api{base: c.API(), client: http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}},
	}}, nil
}

// get asks for a path and reads the answer's JSON into a value, if there is one.
func (a *api) get(path string, into any) error {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, a.base+path, nil)
	if err != nil {
		return err
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// ready gives the names of the nodes that are Ready.
func (a *api) ready() ([]string, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.get("/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	var names []string
	for _, n := range list.Items {
		for _, condition := range n.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" {
				names = append(names, n.Metadata.Name)
			}
		}
	}
	return names, nil
}
