package haproxy

import (
	"errors"
	"fmt"
	"os/exec"
)

// Find looks for HAProxy on PATH, and where Debian keeps it out of the PATH of
// ordinary users, unless its path is given (--haproxy).
func Find(given string) (string, error) {
	if given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("--haproxy %s: cannot be executed: %w; give the path of HAProxy 2.6 or newer", given, err)
		}
		return path, nil
	}
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("haproxy: not found on PATH; install HAProxy 2.6 or newer (make deps does) or give --haproxy")
}
