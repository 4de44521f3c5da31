package mongoset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only what says that it is a mongod is taken for one.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	program := func(name, says string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+says+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := program("mongod", `[ "$1" = --version ] && echo "db version v7.0.14" && echo "Build Info: {"`)
	if p, err := Find(t.Context(), good); err != nil || p != (Program{good, "v7.0.14"}) {
		t.Errorf("%+v, %v", p, err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):           "no such file",
		program("other", `echo "other 1.0"`): `it says "other 1.0" where a mongod says its db version`,
		program("broken", "exit 3"):          "it does not say its version: exit status 3",
	} {
		if _, err := Find(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "--mongod "+path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
