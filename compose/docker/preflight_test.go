package docker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReachable(t *testing.T) {
	for uri, refused := range map[string]string{
		"":                                  "",
		"mongodb://10.0.0.7:27017/words":    "",
		"mongodb+srv://db.example/words":    "",
		"mongodb://127.0.0.1:27017/x":       "--mongo 127.0.0.1:27017:",
		"mongodb://u:p@localhost/words?a=b": "--mongo localhost:",
		"mongodb://10.0.0.7,[::1]:27017":    "--mongo [::1]:27017:",
	} {
		err := reachable(uri)
		if (err != nil) != (refused != "") || err != nil && !strings.HasPrefix(err.Error(), refused) {
			t.Errorf("%q: %v, want %q", uri, err, refused)
		}
	}
}

// All that is missing is told at once, as far as it can be known without an engine.
func TestPreflightWithoutAnEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	script := filepath.Join(t.TempDir(), "throughline")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, missing := Preflight(t.Context(), Needs{Self: script, Balancer: "haproxy-1", Database: true, MongoURI: "mongodb://localhost/x",
		Images: []Wanted{{Image: "example/app:1", By: "x: stack.web.image"}}})
	said := errors.Join(missing...)
	if len(missing) != 3 {
		t.Fatalf("%d things are missing, want 3: %v", len(missing), said)
	}
	for i, want := range []string{"--mongo localhost: in a container", "this program in an image: not a program for Linux", "no engine answers at DOCKER_HOST="} {
		if !strings.Contains(missing[i].Error(), want) {
			t.Errorf("%v, want %q", missing[i], want)
		}
	}
}
