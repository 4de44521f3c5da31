package httpd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// Program is an Apache HTTP server, of this machine or of an image.
type Program struct {
	Binary  string // path, or its name in the image
	Modules string // directory
	Version string // "2.4.62"; of an image that was not asked, its name
	// Home is a directory of a container's own, for Config.Dir; empty: it runs on this machine.
	Home string
}

// InImage is that of an image which is laid out as the published one is: https://hub.docker.com/_/httpd
func InImage(image string) Program {
	return Program{Binary: "httpd", Modules: "/usr/local/apache2/modules", Version: image, Home: "/tmp"}
}

// Find looks for it on PATH, and where distributions keep it out of the PATH of ordinary users.
func Find(ctx context.Context) (Program, error) {
	for _, name := range []string{"apache2", "/usr/sbin/apache2", "httpd", "/usr/sbin/httpd"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		return look(ctx, path)
	}
	return Program{}, errors.New("httpd: the Apache HTTP server is not installed; install it (make deps does; on Debian it is apache2-bin), or leave stack.httpd out")
}

var (
	versionLine = regexp.MustCompile(`(?m)^Server version: Apache/(2\.4\.\d+)`)
	rootLine    = regexp.MustCompile(`(?m)^ -D HTTPD_ROOT="([^"]*)"`)
)

func look(ctx context.Context, binary string) (Program, error) {
	out, err := exec.CommandContext(ctx, binary, "-V").CombinedOutput()
	version := versionLine.FindSubmatch(out)
	if version == nil {
		if err == nil {
			err = errors.New("it is no Apache HTTP server 2.4")
		}
		return Program{}, fmt.Errorf("httpd: %s -V: %w", binary, err)
	}
	root := ""
	if m := rootLine.FindSubmatch(out); m != nil {
		root = string(m[1])
	}
	for _, dir := range []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/apache2", filepath.Join(root, "modules"), filepath.Join(root, "lib/httpd/modules")} {
		if _, err := os.Stat(filepath.Join(dir, "mod_proxy_http.so")); err == nil {
			return Program{Binary: binary, Modules: dir, Version: string(version[1])}, nil
		}
	}
	return Program{}, fmt.Errorf("httpd: %s has no module mod_proxy_http where distributions keep modules; install the package that has it, or leave stack.httpd out", binary)
}
