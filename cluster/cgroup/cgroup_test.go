package cgroup

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// files makes files with contents below a directory.
func files(t *testing.T, dir string, contents map[string]string) {
	t.Helper()
	for name, text := range contents {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVersion1(t *testing.T) {
	mount := t.TempDir()
	files(t, mount, map[string]string{
		"cpuset/cgroup.procs": "1\n", "cpuset/cpuset.cpus": "0-1\n", "cpuset/cpuset.mems": "0\n",
		"pids/cgroup.procs": "1\n", "unified/cgroup.procs": "1\n", "systemd/cgroup.procs": "1\n",
	})
	// The kernel has these in a new group; here they are made beforehand.
	files(t, mount, map[string]string{"cpuset/x/cpuset.cpus": "\n", "cpuset/x/cpuset.mems": "\n"})
	if err := os.Symlink("cpuset", filepath.Join(mount, "cpu")); err != nil {
		t.Fatal(err)
	}
	tree, err := Open(mount, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Make("node1/pods"); err != nil {
		t.Fatal(err)
	}
	for _, hierarchy := range []string{"cpuset", "pids", "systemd"} {
		if _, err := os.Stat(filepath.Join(mount, hierarchy, "x/node1/pods")); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(mount, "unified/x")); err == nil {
		t.Error("a group was made where there are no controllers")
	}
	if got, _ := os.ReadFile(filepath.Join(mount, "cpuset/x/cpuset.cpus")); string(got) != "0-1\n" {
		t.Errorf("cpus %q, want those of the group above", got)
	}
	if got, want := tree.Door("node1"), filepath.Join(mount, "pids/x/node1/cgroup.procs"); got != want {
		t.Errorf("processes enter by %s, want %s", got, want)
	}
	files(t, mount, map[string]string{"pids/x/node1/cgroup.procs": "17\n0\n", "pids/x/node1/pods/cgroup.procs": "18\n", "pids/x/node2/cgroup.procs": "19\n"})
	if got := tree.Processes("node1"); !reflect.DeepEqual(got, []int{17, 18}) {
		t.Errorf("processes %v", got)
	}
}

func TestVersion2(t *testing.T) {
	mount := t.TempDir()
	files(t, mount, map[string]string{"cgroup.controllers": "cpu memory\n", "x/cgroup.controllers": "memory\n", "x/node1/cgroup.controllers": "\n"})
	tree, err := Open(mount, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Make("node1/pods"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "+memory", "x": "+memory"} {
		if got, _ := os.ReadFile(filepath.Join(mount, path, "cgroup.subtree_control")); string(got) != want {
			t.Errorf("%s: hands down %q, want %q last", path, got, want)
		}
	}
	if !tree.Exists("node1/pods") || tree.Path("node1/pods") != "/x/node1/pods" {
		t.Errorf("%s is not there", tree.Path("node1/pods"))
	}
}

func TestRemove(t *testing.T) {
	mount := t.TempDir()
	files(t, mount, map[string]string{"pids/cgroup.procs": ""})
	tree, err := Open(mount, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Make("node1/pods"); err != nil {
		t.Fatal(err)
	}
	if err := tree.Remove(""); err != nil || tree.Exists("") {
		t.Errorf("%v, still there: %t", err, tree.Exists(""))
	}
	if err := tree.Remove(""); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestNoControlGroups(t *testing.T) {
	for _, mount := range []string{t.TempDir(), "/nowhere"} {
		if _, err := Open(mount, "x"); err == nil || !strings.HasPrefix(err.Error(), "control groups: ") {
			t.Errorf("%s: %v", mount, err)
		}
	}
}
