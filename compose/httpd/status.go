package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Numbers are what mod_status tells, by the names that it gives them: "Total Accesses", "BusyWorkers".
//
// Total Accesses counts requests that have ended, whatever their status, health checks and looks at the page itself
// among them. It goes on over a graceful reload, and begins anew with the process.
// Source: https://httpd.apache.org/docs/2.4/mod/mod_status.html#machinereadable
type Numbers map[string]float64

// Names of Numbers that this package needs itself.
const (
	Accesses   = "Total Accesses"
	Busy       = "BusyWorkers"
	Idle       = "IdleWorkers"
	Generation = "ParentServerConfigGeneration"
)

// Status asks the httpd at addr, host:port.
func Status(ctx context.Context, addr string) (Numbers, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+StatusPath+"?auto", nil)
	if err != nil {
		return nil, fmt.Errorf("httpd at %s: %w", addr, err)
	}
	resp, err := asker.Do(req)
	if err != nil {
		return nil, fmt.Errorf("httpd at %s: %w", addr, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("httpd at %s: %s answers %s", addr, StatusPath, resp.Status)
	}
	n, err := ParseStatus(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("httpd at %s: %w", addr, err)
	}
	return n, nil
}

// asker holds no connection: one that is kept is no worker's, and is closed by each reload.
var asker = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// longestStatus bounds a status page, in bytes: the scoreboard has a character for each worker.
const longestStatus = 1 << 20

// ParseStatus reads the page as machines are given it: a line "name: value" for each number. Values that are no numbers
// are left out.
func ParseStatus(r io.Reader) (Numbers, error) {
	n := Numbers{}
	lines := bufio.NewScanner(io.LimitReader(r, longestStatus))
	lines.Buffer(nil, longestStatus)
	for lines.Scan() {
		name, text, found := strings.Cut(lines.Text(), ": ")
		if !found {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
			n[name] = v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read its status: %w", err)
	}
	for _, name := range []string{Accesses, Busy, Idle} {
		if _, there := n[name]; !there {
			return nil, fmt.Errorf("its status has no %s: mod_status must be loaded, with ExtendedStatus", name)
		}
	}
	return n, nil
}

// statusEvery is how often Control looks whether something has taken effect.
const statusEvery = 20 * time.Millisecond
