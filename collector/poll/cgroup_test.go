package poll

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"
)

// equal compares usages.
func equal(t *testing.T, got, want cgroupUsage) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(cgroupUsage{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

const (
	statV1 = "nr_periods 80\nnr_throttled 79\nthrottled_time 1268241407\nnr_bursts 0\nburst_time 0\n"
	statV2 = "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnr_periods 80\nnr_throttled 79\nthrottled_usec 1268241\nnr_bursts 0\nburst_usec 0\n"
)

func TestParseV1(t *testing.T) {
	for _, c := range []struct {
		name, stat, quota, period, used string
		want                            cgroupUsage
	}{
		{"limited", statV1, "2000\n", "100000\n", "151234567890\n",
			cgroupUsage{used: 151.23456789, counts: true, periods: 80, throttledPeriods: 79, throttled: 1.268241407, cores: 0.02}},
		{"never limited", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n", "-1\n", "100000\n", "0\n", cgroupUsage{counts: true}},
		{"two CPUs, without bandwidth control", "", "200000", "100000", "1", cgroupUsage{used: 1e-9, cores: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseV1(c.stat, c.quota, c.period, c.used)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, c.want)
		})
	}
	for _, bad := range [][4]string{
		{"nr_periods", "-1", "100000", "1"}, {"nr_periods x", "-1", "100000", "1"}, {statV1, "-2", "100000", "1"}, {statV1, "", "100000", "1"},
		{statV1, "2000", "0", "1"}, {statV1, "-1", "100000", ""}, {statV1, "-1", "100000", "-5"}, {statV1, "-1", "100000", "1.5"},
	} {
		if got, err := parseV1(bad[0], bad[1], bad[2], bad[3]); err == nil {
			t.Errorf("parseV1%q = %+v, want an error", bad, got)
		}
	}
}

func TestParseV2(t *testing.T) {
	for _, c := range []struct {
		name, stat, limit string
		want              cgroupUsage
	}{
		{"limited", statV2, "2000 100000\n", cgroupUsage{used: 1.234567, counts: true, periods: 80, throttledPeriods: 79, throttled: 1.268241, cores: 0.02}},
		{"no limit", statV2, "max 100000\n", cgroupUsage{used: 1.234567, counts: true, periods: 80, throttledPeriods: 79, throttled: 1.268241}},
		{"half a CPU of a short period", statV2, "5000 10000", cgroupUsage{used: 1.234567, counts: true, periods: 80, throttledPeriods: 79, throttled: 1.268241, cores: 0.5}},
		{"without bandwidth control", "usage_usec 7\nuser_usec 7\nsystem_usec 0\n", "max 100000\n", cgroupUsage{used: 7e-6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseV2(c.stat, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, c.want)
		})
	}
	for _, bad := range [][2]string{
		{"", "max 100000"}, {"nr_periods 3\n", "max 100000"}, {"usage_usec -1\n", "max 100000"}, {statV2, ""}, {statV2, "max"}, {statV2, "few 100000"}, {statV2, "0 100000"},
	} {
		if got, err := parseV2(bad[0], bad[1]); err == nil {
			t.Errorf("parseV2%q = %+v, want an error", bad, got)
		}
	}
}

// FuzzCgroup: whatever the files hold, what is read of them is a number that a
// series can take.
func FuzzCgroup(f *testing.F) {
	f.Add(statV1, "2000\n", "100000\n", "151234567890\n")
	f.Add(statV1, "-1\n", "100000\n", "0\n")
	f.Add(statV2, "2000 100000\n", "max 100000\n", "")
	f.Add("usage_usec 18446744073709551615\n", "18446744073709551615 1\n", "1", "18446744073709551615")
	f.Fuzz(func(t *testing.T, stat, quota, period, used string) {
		v1, errV1 := parseV1(stat, quota, period, used)
		v2, errV2 := parseV2(stat, quota)
		for _, got := range []struct {
			usage cgroupUsage
			err   error
		}{{v1, errV1}, {v2, errV2}} {
			a := got.usage
			if got.err == nil && !(a.used >= 0 && a.used < 1e15 && a.throttled >= 0 && a.throttled < 1e15 && a.cores >= 0 && a.cores < 1e20) {
				t.Errorf("%q %q %q %q: %+v", stat, quota, period, used, a)
			}
		}
	})
}

// mount is a mounted hierarchy; controllers are those of version 1.
func mount(kind, root, point string, controllers ...string) *procfs.MountInfo {
	options := map[string]string{"rw": ""}
	for _, c := range controllers {
		options[c] = ""
	}
	return &procfs.MountInfo{FSType: kind, Root: root, MountPoint: point, SuperOptions: options}
}

func TestFindCgroup(t *testing.T) {
	hybrid := []procfs.Cgroup{{HierarchyID: 2, Controllers: []string{"cpuacct"}, Path: "/docker/3f"}, {HierarchyID: 1, Controllers: []string{"cpu"}, Path: "/docker/3f"}, {Path: "/docker/3f"}}
	together := []procfs.Cgroup{{HierarchyID: 4, Controllers: []string{"cpu", "cpuacct"}, Path: "/a/b"}, {Path: "/"}}
	unified := []procfs.Cgroup{{Path: "/system.slice/x.service"}}
	for _, c := range []struct {
		name   string
		mounts []*procfs.MountInfo
		of     []procfs.Cgroup
		want   cgroupDirs
		err    string
	}{
		{"version 1 beside a version 2 without cpu", []*procfs.MountInfo{mount("tmpfs", "/", "/sys/fs/cgroup"), mount("cgroup", "/", "/c/cpu", "cpu"),
			mount("cgroup", "/", "/c/cpuacct", "cpuacct"), mount("cgroup2", "/", "/c/unified")}, hybrid, cgroupDirs{"/c/cpu/docker/3f", "/c/cpuacct/docker/3f"}, ""},
		{"version 1, mounted together", []*procfs.MountInfo{mount("cgroup", "/", "/c/both", "cpu", "cpuacct")}, together, cgroupDirs{"/c/both/a/b", "/c/both/a/b"}, ""},
		{"seen from a container", []*procfs.MountInfo{mount("cgroup", "/a", "/c/both", "cpu", "cpuacct")}, together, cgroupDirs{"/c/both/b", "/c/both/b"}, ""},
		{"version 2", []*procfs.MountInfo{mount("cgroup2", "/", "/c")}, unified, cgroupDirs{"/c/system.slice/x.service", ""}, ""},
		{"nobody counts", []*procfs.MountInfo{mount("cgroup", "/", "/c/cpu", "cpu")}, hybrid, cgroupDirs{}, "cpuacct is not mounted"},
		{"nothing mounted", nil, unified, cgroupDirs{}, "no mounted cgroup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := findCgroup(c.mounts, c.of)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error = %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("= %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestReadCgroup(t *testing.T) {
	write := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	want := cgroupUsage{used: 2, counts: true, periods: 80, throttledPeriods: 79, throttled: 1.268241407, cores: 0.05}
	v1 := cgroupDirs{
		cpu:     write(map[string]string{"cpu.stat": statV1, "cpu.cfs_quota_us": "5000\n", "cpu.cfs_period_us": "100000\n"}),
		cpuacct: write(map[string]string{"cpuacct.usage": "2000000000\n"}),
	}
	got, err := v1.read()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
	got, err = cgroupDirs{cpu: write(map[string]string{"cpu.stat": statV2, "cpu.max": "5000 100000\n"})}.read()
	if err != nil {
		t.Fatal(err)
	}
	want.used, want.throttled = 1.234567, 1.268241
	equal(t, got, want)
	if _, err := (cgroupDirs{cpu: t.TempDir()}).read(); !gone(err) {
		t.Errorf("a cgroup that has just been removed: %v", err)
	}
}
