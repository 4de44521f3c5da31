package mongoset

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Program is a mongod of this machine.
type Program struct {
	Path    string // absolute
	Version string // "v7.0.14"
}

// sayWithin is how long a mongod may take to say which version it is.
const sayWithin = 10 * time.Second

// Find looks for a mongod by its path, or on PATH, and asks it which version it is.
func Find(ctx context.Context, path string) (Program, error) {
	found, err := exec.LookPath(path)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return Program{}, fmt.Errorf("--mongod %s: %w; give the path of a mongod", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, sayWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, found, "--version").Output()
	if err != nil {
		return Program{}, fmt.Errorf("--mongod %s: it does not say its version: %w; give the path of a mongod", path, err)
	}
	// The first line is "db version v7.0.14".
	first, _, _ := strings.Cut(string(out), "\n")
	version, is := strings.CutPrefix(strings.TrimSpace(first), "db version ")
	if !is {
		return Program{}, fmt.Errorf("--mongod %s: it says %q where a mongod says its db version; give the path of a mongod", path, first)
	}
	return Program{found, version}, nil
}
