package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestOpenBrowser(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if err := OpenBrowser("http://127.0.0.1:8900/"); err == nil || !strings.HasPrefix(err.Error(), "no browser can be opened here: ") {
		t.Errorf("there is none: %v", err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, NOTHING PROVED: the opener that is tried is Linux'")
	}
	got := filepath.Join(dir, "got")
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\necho $1 > "+got+".new; /bin/mv "+got+".new "+got+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := OpenBrowser("http://127.0.0.1:8900/"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(got)
		if err == nil {
			if string(text) != "http://127.0.0.1:8900/\n" {
				t.Errorf("opened %q", text)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
