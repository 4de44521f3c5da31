// Package pki makes the certificates of a cluster, which trusts one authority, and the kubeconfigs of all who talk to its API
// server: who somebody is stands in his certificate, as RBAC asks it. It writes files and starts nothing; package host
// calls it once for each cluster.
//
// Names, organizations and uses are those of https://kubernetes.io/docs/setup/best-practices/certificates/.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"throughline/cluster/plan"
)

// valid is for how long certificates hold; a cluster for tests lives hours.
const valid = 365 * 24 * time.Hour

// authority signs.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	from time.Time
}

// holder is whom a certificate is made for.
type holder struct {
	file         string // without .crt and .key
	name, org    string
	serves       bool // others connect to it; who does not serve is a client, and so is a node
	names        []string
	addrs        []netip.Addr
	hasNoProfile bool // it gets no kubeconfig
}

// holders lists everybody with a certificate.
func holders(c plan.Cluster) []holder {
	const masters = "system:masters"
	api := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	all := []holder{
		{file: "apiserver", name: "kube-apiserver", serves: true, names: api,
			addrs: []netip.Addr{c.Host(), c.ServiceOfAPI(), c.Loopback()}, hasNoProfile: true},
		{file: "apiserver-kubelet", name: "kube-apiserver-kubelet-client", org: masters, hasNoProfile: true},
		{file: "etcd", name: "etcd", serves: true, addrs: []netip.Addr{c.Loopback()}, hasNoProfile: true},
		{file: "admin", name: "admin", org: masters},
		{file: "controller-manager", name: "system:kube-controller-manager"},
		{file: "scheduler", name: "system:kube-scheduler"},
		{file: "proxy", name: "system:kube-proxy"},
	}
	for _, n := range c.All() {
		all = append(all, holder{file: n.Name, name: "system:node:" + n.Name, org: "system:nodes", serves: true,
			names: []string{n.Name}, addrs: []netip.Addr{n.Addr}})
	}
	return all
}

// Write fills a directory: ca.crt, NAME.crt and NAME.key of all holders, NAME.kubeconfig of those that talk to the API
// server, and sa.key and sa.pub, by which the tokens of service accounts are signed and known.
func Write(dir string, c plan.Cluster, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	ca, err := newAuthority(now.Add(-time.Hour)) // the clocks of this machine's nodes are its own; the hour is for whoever sets them back
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if err := write(dir, "ca.crt", certificatePEM(ca.cert.Raw)); err != nil {
		return err
	}
	for _, h := range holders(c) {
		cert, key, err := ca.issue(h)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", h.name, err)
		}
		if err := write(dir, h.file+".crt", cert); err != nil {
			return err
		}
		if err := write(dir, h.file+".key", key); err != nil {
			return err
		}
		if h.hasNoProfile {
			continue
		}
		if err := write(dir, h.file+".kubeconfig", kubeconfig(c.API(), certificatePEM(ca.cert.Raw), cert, key)); err != nil {
			return err
		}
	}
	return writeAccounts(dir)
}

func newAuthority(from time.Time) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "cluster for tests"},
		NotBefore:             from,
		NotAfter:              from.Add(valid),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(raw)
	return authority{cert: cert, key: key, from: from}, err
}

// issue gives certificate and key as PEM.
func (a authority) issue(h holder) (cert, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: h.name},
		NotBefore:    a.from,
		NotAfter:     a.from.Add(valid),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:     h.names,
	}
	if h.org != "" {
		template.Subject.Organization = []string{h.org}
	}
	if h.serves {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, addr := range h.addrs {
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(own)
	return certificatePEM(raw), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func certificatePEM(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}

func writeAccounts(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("key of service accounts: %w", err)
	}
	if err := write(dir, "sa.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})); err != nil {
		return err
	}
	return write(dir, "sa.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
}

// kubeconfig has everything in it, so that it can be copied to anywhere.
func kubeconfig(server string, ca, cert, key []byte) []byte {
	in := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: throughline
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: user
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: throughline
  context: {cluster: throughline, user: user}
current-context: throughline
`, server, in(ca), in(cert), in(key))
}

func write(dir, name string, data []byte) error {
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	return nil
}
