package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/cluster/plan"
)

// made writes the certificates of a cluster with two nodes, and gives the authority's.
func made(t *testing.T, now time.Time) (dir string, c plan.Cluster, roots *x509.CertPool) {
	t.Helper()
	dir, c = t.TempDir(), plan.Cluster{Index: 3, Nodes: 2}
	if err := Write(dir, c, now); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatal("ca.crt holds no certificate")
	}
	return dir, c, roots
}

func load(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// Everybody is who RBAC asks for, may do what it is for, and is believed at its addresses and nowhere else.
func TestCertificatesAreBelieved(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	dir, c, roots := made(t, now)
	for _, w := range []struct {
		file, name, org string
		host            string // "" for one that does not serve
	}{
		{"apiserver", "kube-apiserver", "", c.Host().String()},
		{"apiserver", "kube-apiserver", "", c.ServiceOfAPI().String()},
		{"apiserver", "kube-apiserver", "", "kubernetes.default.svc"},
		{"etcd", "etcd", "", c.Loopback().String()},
		{"node2", "system:node:node2", "system:nodes", c.Node(2).Addr.String()},
		{"node2", "system:node:node2", "system:nodes", "node2"},
		{"admin", "admin", "system:masters", ""},
		{"scheduler", "system:kube-scheduler", "", ""},
	} {
		cert := load(t, dir, w.file)
		if cert.Subject.CommonName != w.name || strings.Join(cert.Subject.Organization, ",") != w.org {
			t.Errorf("%s: is %s", w.file, cert.Subject)
		}
		ask := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if w.host != "" {
			ask.DNSName, ask.KeyUsages = w.host, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		if _, err := cert.Verify(ask); err != nil {
			t.Errorf("%s at %q: %v", w.file, w.host, err)
		}
	}
	ask := x509.VerifyOptions{Roots: roots, CurrentTime: now}
	ask.DNSName = c.Node(1).Addr.String()
	if _, err := load(t, dir, "node2").Verify(ask); err == nil {
		t.Error("node2 is believed at node1's address")
	}
	ask.DNSName, ask.CurrentTime = c.Host().String(), now.Add(valid)
	if _, err := load(t, dir, "apiserver").Verify(ask); err == nil {
		t.Error("the API server is believed a year later")
	}
	_, _, others := made(t, now)
	if _, err := load(t, dir, "apiserver").Verify(x509.VerifyOptions{Roots: others, CurrentTime: now}); err == nil {
		t.Error("the API server is believed by those who trust another cluster")
	}
}

func TestKubeconfigs(t *testing.T) {
	dir, c, _ := made(t, time.Now())
	for _, name := range []string{"admin", "controller-manager", "scheduler", "proxy", "node1", "node2"} {
		text, err := os.ReadFile(filepath.Join(dir, name+".kubeconfig"))
		if err != nil || !strings.Contains(string(text), "server: "+c.API()+"\n") {
			t.Errorf("%s: %v, has not the server %s", name, err, c.API())
		}
		info, err := os.Stat(filepath.Join(dir, name+".kubeconfig"))
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %s, want its owner's alone", name, info.Mode())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd.kubeconfig")); err == nil {
		t.Error("etcd, which asks the API server nothing, has a kubeconfig")
	}
}
