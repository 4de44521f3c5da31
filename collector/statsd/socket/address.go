package socket

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Network is how payloads travel.
type Network string

// The networks. Their names are the schemes of an address.
const (
	UDP        Network = "udp"        // a datagram is a payload
	Unixgram   Network = "unixgram"   // the same through a file, as Datadog's agent has it
	Unixstream Network = "unixstream" // frames: their length in 4 bytes, little-endian, then as many bytes
	TCP        Network = "tcp"        // lines
)

// maxPath is the longest path of a Unix socket, in bytes.
// Source: unix(7), sun_path, less the zero that ends it.
const maxPath = 107

// Address is where to listen.
type Address struct {
	Network Network
	Host    string // host:port for UDP and TCP; port 0 is any free one
	Path    string // an absolute one, for Unix sockets
}

// ParseAddress reads "127.0.0.1:8125" (UDP), "udp://[::1]:8125",
// "tcp://127.0.0.1:8125", "unixgram:///run/statsd.sock" and
// "unixstream:///run/statsd.sock". "unix://" is unixgram, as in Datadog's
// DD_DOGSTATSD_URL. Nothing is opened and no name is looked up.
func ParseAddress(text string) (Address, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = string(UDP), text
		if strings.HasPrefix(text, "/") {
			return Address{}, fmt.Errorf("address %q: a path needs its network before it: write unixgram://%s or unixstream://%s", text, text, text)
		}
	}
	a := Address{Network: Network(scheme)}
	switch a.Network {
	case UDP, TCP:
		a.Host = rest
	case "unix":
		a.Network, a.Path = Unixgram, rest
	default:
		a.Path = rest
	}
	if err := a.check(); err != nil {
		return Address{}, fmt.Errorf("address %q: %w", text, err)
	}
	return a, nil
}

// String is the address as ParseAddress reads it: host:port alone for UDP.
func (a Address) String() string {
	switch a.Network {
	case UDP:
		return a.Host
	case TCP:
		return "tcp://" + a.Host
	}
	return string(a.Network) + "://" + a.Path
}

// URL is the address with its network before it, also where that is the usual one.
func (a Address) URL() string {
	if a.Network == UDP {
		return "udp://" + a.Host
	}
	return a.String()
}

// check tells what is wrong with an address.
func (a Address) check() error {
	switch a.Network {
	case UDP, TCP:
		return checkHost(a.Host)
	case Unixgram, Unixstream:
		return checkPath(a.Path)
	}
	return fmt.Errorf("unknown scheme %q: want udp, tcp, unixgram, unixstream or unix (the same as unixgram)", string(a.Network))
}

func checkHost(host string) error {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		reason := err.Error()
		if known := (*net.AddrError)(nil); errors.As(err, &known) {
			reason = known.Err
		}
		return fmt.Errorf("%s: want host:port, as in 127.0.0.1:8125 or [::1]:8125", reason)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q: want a number from 0 (any free one) to 65535", port)
	}
	return nil
}

func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("path %q is not absolute: want three slashes in a row, as in unixgram:///run/statsd.sock", path)
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("path %q is a directory's: want that of a file in it", path)
	case strings.IndexByte(path, 0) >= 0:
		return fmt.Errorf("path %q has a zero byte in it", path)
	case len(path) > maxPath:
		return fmt.Errorf("path of %d bytes: the kernel takes %d at most; choose a shorter one", len(path), maxPath)
	}
	return nil
}
