package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const askLimit = 10 * time.Second // for an API server to say that it is there

// Cluster is where pods run, as a user names it.
type Cluster struct {
	// Config is the kubeconfig's path; empty: KUBECONFIG, ~/.kube/config, or that of the pod in which this program runs.
	Config  string
	Context string // in it; empty: the current one
	Home    string // the address of this program that pods reach; empty: the one from which it reaches the API server
}

// reached is a cluster that answers.
type reached struct {
	client  kubernetes.Interface
	where   string // its API server, as errors call it
	version string
	home    netip.Addr
}

// Connection is a way to the API server of a cluster that answers.
type Connection struct {
	Client kubernetes.Interface
	Rest   *rest.Config // how it is reached, for what Client has not: ports that are forwarded
	Where  string       // the API server, as errors call it
}

// Connect finds the cluster and asks whether it is there. Where pods reach this program it does not ask.
func Connect(ctx context.Context, c Cluster) (Connection, error) {
	r, config, err := ask(ctx, c)
	return Connection{Client: r.client, Rest: config, Where: r.where}, err
}

// connect finds the cluster, asks whether it is there, and finds where pods reach this program.
func connect(ctx context.Context, c Cluster) (reached, error) {
	r, config, err := ask(ctx, c)
	if err != nil {
		return reached{}, err
	}
	r.home, err = c.home(config.Host)
	return r, err
}

// ask finds the cluster and asks whether it is there.
func ask(ctx context.Context, c Cluster) (reached, *rest.Config, error) {
	config, err := c.rest()
	if err != nil {
		return reached{}, nil, err
	}
	r := reached{where: config.Host}
	if c.Context != "" {
		r.where += " (context " + c.Context + ")"
	}
	if r.client, err = kubernetes.NewForConfig(config); err != nil {
		return reached{}, nil, fmt.Errorf("kubernetes: %s: %w", r.where, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var is version.Info
	text, err := r.client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return reached{}, nil, fmt.Errorf("kubernetes: the API server at %s does not take the credentials of the kubeconfig: %w; renew them", r.where, err)
	case err != nil:
		return reached{}, nil, fmt.Errorf("kubernetes: no API server answers at %s: %w; start the cluster, choose another with --kube-context or KUBECONFIG, or take --platform local", r.where, err)
	}
	r.version = is.GitVersion
	return r, config, nil
}

// rest is how the API server is reached.
func (c Cluster) rest() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Config
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.Context}).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, fmt.Errorf("kubernetes: no kubeconfig (looked at %s); name one with KUBECONFIG, or take --platform local", strings.Join(rules.GetLoadingPrecedence(), ", "))
	case err != nil:
		return nil, fmt.Errorf("kubernetes: the kubeconfig: %w", err)
	}
	config.Timeout = 0 // watches last
	config.QPS, config.Burst = 100, 200
	config.UserAgent = "throughline"
	return config, nil
}

// home is the address of this program that pods shall reach.
func (c Cluster) home(server string) (netip.Addr, error) {
	if c.Home != "" {
		addr, err := netip.ParseAddr(c.Home)
		if err != nil || addr.IsLoopback() || addr.IsUnspecified() {
			return netip.Addr{}, fmt.Errorf("--harness-address %s: want an IP address of this machine that pods reach", c.Home)
		}
		return addr.Unmap(), nil
	}
	at, err := url.Parse(server)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("kubernetes: the API server's address %s: %w", server, err)
	}
	port := at.Port()
	if port == "" {
		port = "443"
	}
	// Nothing is sent: connecting a UDP socket only asks the kernel for the route.
	conn, err := net.Dial("udp", net.JoinHostPort(at.Hostname(), port))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("kubernetes: find the address of this machine that pods reach: %w; give it with --harness-address", err)
	}
	defer conn.Close()
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	if addr.IsLoopback() {
		return netip.Addr{}, fmt.Errorf("kubernetes: the API server is at %s, which says nothing of where pods reach this program; give an address of this machine with --harness-address", server)
	}
	return addr, nil
}
