// Package inventory lists the instances of a running stack as other programs read them: as a
// dynamic inventory of Ansible, and as targets of Prometheus' service discovery (file_sd and
// http_sd have the same form).
//
// It finds no instance: a [Hosts] says who there is. A [Handler] answers over HTTP, and
// is served by a page.Server; command inventory asks it and prints the answer.
package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"throughline/live"
)

// The formats.
const (
	Ansible    = "ansible"
	Prometheus = "prometheus"
	JSON       = "json" // all that is known: a list of live.Host
)

// Formats names all formats, the default first.
func Formats() []string { return []string{Ansible, Prometheus, JSON} }

// Path is where a Handler answers: a format stands behind it, as in /inventory/prometheus.
const Path = "/inventory/"

// Hosts tells who there is at the moment, oldest first. It may be called by several
// goroutines at once.
type Hosts func() []live.Host

// Handler answers who asks for the instances.
func Handler(of Hosts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format := strings.TrimPrefix(r.URL.Path, Path)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "an inventory is only read", http.StatusMethodNotAllowed)
			return
		}
		text, err := Write(format, of())
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json") // Prometheus takes no other
		_, _ = w.Write(text)                               // who is gone needs no answer
	})
}

// Write gives the hosts in a format. The error names those that there are.
func Write(format string, hosts []live.Host) ([]byte, error) {
	var value any
	switch format {
	case Ansible:
		value = ansible(hosts)
	case Prometheus:
		value = targets(hosts)
	case JSON:
		value = append([]live.Host{}, hosts...) // none is [], not null
	default:
		return nil, fmt.Errorf("%s: no such format (have %s)", format, strings.Join(Formats(), ", "))
	}
	text, err := json.MarshalIndent(value, "", "  ")
	return append(text, '\n'), err
}

// Variables gives what Ansible is to know of one host.
func Variables(hosts []live.Host, name string) ([]byte, error) {
	var have []string
	for _, h := range hosts {
		if h.Name == name {
			text, err := json.MarshalIndent(variables(h), "", "  ")
			return append(text, '\n'), err
		}
		have = append(have, h.Name)
	}
	if len(have) == 0 {
		have = []string{"none"}
	}
	return nil, fmt.Errorf("%s: no such instance (have %s)", name, strings.Join(have, ", "))
}

// group is one of Ansible's.
type group struct {
	Hosts    []string `json:"hosts,omitempty"`
	Children []string `json:"children,omitempty"`
}

// ansible groups the hosts by role, zone and version. With _meta Ansible asks for no host by itself.
// Source: https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#inventory-script-conventions
func ansible(hosts []live.Host) map[string]any {
	all, vars := map[string]*group{}, map[string]map[string]any{}
	add := func(to, host string) {
		if all[to] == nil {
			all[to] = &group{}
		}
		all[to].Hosts = append(all[to].Hosts, host)
	}
	for _, h := range hosts {
		vars[h.Name] = variables(h)
		add(groupName(h.Role), h.Name)
		if h.Zone != "" {
			add("zone_"+groupName(h.Zone), h.Name)
		}
		if h.Version != "" {
			add("version_"+groupName(h.Version), h.Name)
		}
	}
	out := map[string]any{
		"_meta": map[string]any{"hostvars": vars},
		"all":   group{Children: append(slices.Sorted(maps.Keys(all)), "ungrouped")},
	}
	for name, g := range all {
		out[name] = g
	}
	return out
}

// groupName is a name that Ansible takes for a group.
func groupName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

func variables(h live.Host) map[string]any {
	vars := map[string]any{"role": h.Role, "serving": h.Serving}
	if host, port, err := net.SplitHostPort(h.Addr); err == nil {
		vars["ansible_host"] = host
		if n, err := strconv.Atoi(port); err == nil {
			vars["http_port"] = n
		}
	}
	for name, value := range map[string]string{"zone": h.Zone, "version": h.Version} {
		if value != "" {
			vars[name] = value
		}
	}
	if c := h.Cloud; c != nil {
		maps.Copy(vars, map[string]any{"instance_id": c.ID, "instance_type": c.Type, "availability_zone": c.Zone,
			"launch_time": c.Launched.UTC().Format(time.RFC3339), "instance_tags": c.Tags})
	}
	return vars
}

// target is a group of Prometheus' targets. Each host has one of its own, for its labels.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// targets are the hosts with the labels that the collector gives their series. What only some want is in
// labels that Prometheus drops unless a relabelling keeps them. Who listens nowhere is no target.
// Source: https://prometheus.io/docs/prometheus/latest/http_sd/
func targets(hosts []live.Host) []target {
	const meta = "__meta_throughline_"
	out := []target{}
	for _, h := range hosts {
		if h.Addr == "" {
			continue
		}
		labels := map[string]string{"instance": h.Name, "role": h.Role, meta + "serving": strconv.FormatBool(h.Serving)}
		for name, value := range map[string]string{"zone": h.Zone, "version": h.Version} {
			if value != "" {
				labels[name] = value
			}
		}
		if c := h.Cloud; c != nil {
			maps.Copy(labels, map[string]string{meta + "instance_id": c.ID, meta + "instance_type": c.Type, meta + "availability_zone": c.Zone})
			for name, value := range c.Tags {
				labels[meta+"tag_"+groupName(name)] = value
			}
		}
		out = append(out, target{[]string{h.Addr}, labels})
	}
	return out
}

// most is how long an answer may be, in bytes: 300 instances take some 150 kB.
const most = 4 << 20

// Fetch asks the page of a stack for its hosts.
func Fetch(ctx context.Context, page string) ([]live.Host, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(page, "/")+Path+JSON, http.NoBody)
	if err != nil {
		return nil, err
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: nobody answers there: %w", page, err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: no stack that lists its instances (%s)", page, got.Status)
	}
	var hosts []live.Host
	if err := json.NewDecoder(io.LimitReader(got.Body, most)).Decode(&hosts); err != nil {
		return nil, fmt.Errorf("%s: no list of instances: %w", page, err)
	}
	return hosts, nil
}
