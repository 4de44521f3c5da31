package compose

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// KeepFiles writes a copy of the instance's files into a run directory, as config/NAME, because what an instance was told is
// evidence. Platforms whose instances have their files elsewhere call it.
func (i Instance) KeepFiles(run string) error {
	if len(i.Files) == 0 {
		return nil
	}
	dir := filepath.Join(run, "config", i.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range i.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// OnLoopback gives the first host of a MongoDB URI that is on the loopback interface: whoever is not on this machine itself
// would reach itself there. A URI that is none has no such host.
func OnLoopback(uri string) (at string, found bool) {
	_, rest, _ := strings.Cut(uri, "://")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	for at := range strings.SplitSeq(rest, ",") {
		host, _, err := net.SplitHostPort(at)
		if err != nil {
			host = at
		}
		if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.IsLoopback() {
			return at, true
		}
	}
	return "", false
}
