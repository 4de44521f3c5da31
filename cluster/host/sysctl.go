//go:build linux

package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sysctls are the settings of the whole machine that a kubelet changes when it starts, with no namespace of their own
// (setupKernelTunables in k8s.io/kubernetes/pkg/kubelet/cm/container_manager_linux.go).
var sysctls = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// values of sysctls before the first of several clusters came. They are one file for all: the second would note the first's.
type values struct {
	file string // where they are noted
	proc string // /proc/sys
}

func machine() values { return values{file: filepath.Join(Home, "sysctls.json"), proc: "/proc/sys"} }

// note writes the values down unless it has been done.
func (v values) note() error {
	if _, err := os.Stat(v.file); err == nil {
		return nil
	}
	was := map[string]string{}
	for _, name := range sysctls {
		value, err := os.ReadFile(filepath.Join(v.proc, name))
		if err != nil {
			return fmt.Errorf("sysctl: %w", err)
		}
		was[name] = strings.TrimSpace(string(value))
	}
	text, err := json.Marshal(was)
	if err != nil {
		return fmt.Errorf("sysctl: %w", err)
	}
	// First elsewhere, then there: a file that is half written would be taken for one that notes nothing.
	if err := os.WriteFile(v.file+".new", text, 0o600); err != nil {
		return fmt.Errorf("sysctl: %w", err)
	}
	return os.Rename(v.file+".new", v.file)
}

// restore puts back what was noted, and forgets it.
func (v values) restore() error {
	text, err := os.ReadFile(v.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sysctl: %w", err)
	}
	was := map[string]string{}
	if err := json.Unmarshal(text, &was); err != nil {
		return fmt.Errorf("sysctl: %s: %w", v.file, err)
	}
	for _, name := range sysctls {
		value, noted := was[name]
		path := filepath.Join(v.proc, name)
		now, err := os.ReadFile(path)
		if !noted || err != nil || strings.TrimSpace(string(now)) == value {
			continue
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return fmt.Errorf("sysctl: %w", err)
		}
	}
	return os.Remove(v.file)
}
