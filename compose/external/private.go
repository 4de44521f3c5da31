package external

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// lookup finds the addresses of a name, as [net.Resolver.LookupNetIP] does.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// Guard says which hosts may be asked, and put under load: those of this machine and of private networks, and one host
// more that the user says to own. The zero Guard allows the former alone.
type Guard struct {
	Own string // a host as URLs have it, without its port; "": none
	// Lookup finds addresses; nil: [net.DefaultResolver] does.
	Lookup lookup
}

// Resolve gives the address, IP:port, at which whoever a URL names is to be reached from now on. A name is looked up once and
// its address held, so that nobody who answers for the name can have the load sent elsewhere later. All addresses of the name have to
// be allowed, not only the one that is taken.
func (g Guard) Resolve(ctx context.Context, rawURL string) (addr string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	all, err := g.addresses(ctx, u.Hostname())
	if err != nil {
		return "", fmt.Errorf("%s: %w", rawURL, err)
	}
	return net.JoinHostPort(all[0].String(), port), nil
}

// addresses are those of a host, at least one, if all of them are allowed.
func (g Guard) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	find := g.Lookup
	if find == nil {
		find = net.DefaultResolver.LookupNetIP
	}
	all := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		all = append(all, literal)
	} else if all, err = find(ctx, "ip", host); err != nil {
		return nil, fmt.Errorf("find the address of %s: %w", host, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("find the address of %s: it has none", host)
	}
	for _, a := range all {
		if err := g.allows(host, a); err != nil {
			return nil, err
		}
	}
	// IPv4 first: what listens on "localhost" is not always on ::1.
	slices.SortStableFunc(all, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	return all, nil
}

// errPublic is why an address is refused.
var errPublic = errors.New("is neither of this machine nor of a private network, and load is not sent to others' systems")

// allows tells whether an address of a host may be asked.
func (g Guard) allows(host string, a netip.Addr) error {
	if Private(a) || g.Own != "" && strings.EqualFold(strings.TrimSuffix(host, "."), strings.TrimSuffix(g.Own, ".")) {
		return nil
	}
	where := a.String()
	if host != where {
		where = fmt.Sprintf("%s (%s)", host, where)
	}
	return fmt.Errorf("%s %w; if it is yours, say --i-own %s", where, errPublic, host)
}

// Private tells whether an address is of this machine (loopback) or of a network that the Internet does not route to: RFC 1918,
// unique local (RFC 4193) and link-local ones.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// dial connects to an address of a host that is allowed. Each connection looks the name up for itself, and connects to what it
// has looked at.
func (g Guard) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	all, err := g.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(all[0].String(), port))
}
