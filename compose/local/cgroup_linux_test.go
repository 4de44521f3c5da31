package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

func TestWhereCPUCanBeLimited(t *testing.T) {
	mount := func(kind, root, point string, controllers ...string) *procfs.MountInfo {
		options := map[string]string{}
		for _, c := range controllers {
			options[c] = ""
		}
		return &procfs.MountInfo{FSType: kind, Root: root, MountPoint: point, SuperOptions: options}
	}
	mine := []procfs.Cgroup{{HierarchyID: 2, Controllers: []string{"cpuacct"}, Path: "/mine"}, {HierarchyID: 1, Controllers: []string{"cpu"}, Path: "/mine"}, {Path: "/"}}
	together := []procfs.Cgroup{{HierarchyID: 1, Controllers: []string{"cpu", "cpuacct"}, Path: "/docker/3f/mine"}}
	for _, c := range []struct {
		name   string
		mounts []*procfs.MountInfo
		of     []procfs.Cgroup
		v2     bool
		dirs   []string
	}{
		{"version 1 beside a version 2 without cpu", []*procfs.MountInfo{mount("cgroup2", "/", "/c/unified"), mount("cgroup", "/", "/c/cpuacct", "cpuacct"),
			mount("cgroup", "/", "/c/cpu", "cpu")}, mine, false, []string{"/c/cpu/mine", "/c/cpuacct/mine"}},
		{"version 1, mounted together, in a container", []*procfs.MountInfo{mount("cgroup", "/docker/3f", "/c/both", "cpu", "cpuacct")}, together, false, []string{"/c/both/mine"}},
		{"version 2", []*procfs.MountInfo{mount("cgroup2", "/", "/c")}, []procfs.Cgroup{{Path: "/user.slice/x.scope"}}, true, []string{"/c"}},
	} {
		tree, err := cpuTreeOf(c.mounts, c.of)
		if err != nil || tree.v2 != c.v2 || !slices.Equal(tree.dirs, c.dirs) {
			t.Errorf("%s: %+v, %v; want version 2 %v, %q", c.name, tree, err, c.v2, c.dirs)
		}
	}
	if tree, err := cpuTreeOf([]*procfs.MountInfo{mount("tmpfs", "/", "/tmp")}, mine); err == nil {
		t.Errorf("nothing mounted: %+v", tree)
	}
}

// TestWhatIsWrittenIntoCgroups: ordinary files stand in for the kernel's, so that
// both versions are tried on every machine.
func TestWhatIsWrittenIntoCgroups(t *testing.T) {
	for _, c := range []struct {
		v2   bool
		cpus float64
		file string
		want string
	}{
		{false, 0.29, "cpu.cfs_quota_us", "29000"},
		{false, 2, "cpu.cfs_quota_us", "200000"},
		{false, 0, "cpu.cfs_quota_us", "-1"},
		{true, 0.05, "cpu.max", "5000 100000"},
		{true, 0, "cpu.max", "max 100000"},
	} {
		tree := cpuTree{v2: c.v2, dirs: []string{t.TempDir()}}
		dirs, err := tree.make("throughline-1", "web-2")
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.limit(dirs[0], c.cpus); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(tree.dirs[0], "throughline-1", "web-2", c.file)); err != nil || string(got) != c.want {
			t.Errorf("version 2 %v, %v CPUs: %s = %q, %v; want %q", c.v2, c.cpus, c.file, got, err, c.want)
		}
		control, err := os.ReadFile(filepath.Join(tree.dirs[0], "throughline-1", "cgroup.subtree_control"))
		if c.v2 && string(control) != "+cpu" || !c.v2 && err == nil {
			t.Errorf("version 2 %v: cgroup.subtree_control = %q, %v", c.v2, control, err)
		}
	}
	if err := (cpuTree{dirs: []string{t.TempDir()}}).remove("throughline-1"); err != nil {
		t.Errorf("remove what was never made: %v", err)
	}
	if _, err := (cpuTree{dirs: []string{filepath.Join(t.TempDir(), "file\x00")}}).make("throughline-1", "web-2"); err == nil {
		t.Error("made a group where none can be")
	}
}

// TestCgroupsGoWithThePlatform: the guard removes them, which ends last, also when
// the runner was killed.
func TestCgroupsGoWithThePlatform(t *testing.T) {
	if err := CanLimitCPU(); err != nil {
		if !strings.Contains(err.Error(), "limit CPU: ") {
			t.Errorf("the error does not say what cannot be done: %v", err)
		}
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	tree, err := findCPUTree()
	if err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(t.TempDir(), "throughline-test-"+strconv.Itoa(os.Getpid()))
	dirs, err := tree.make(filepath.Base(temp), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// In a process of its own: it ignores signals for good.
	guard := exec.Command(self, "guard")
	guard.Stdin = strings.NewReader("=" + temp + "\n")
	if out, err := guard.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", filepath.Dir(dir), err)
		}
	}
}
