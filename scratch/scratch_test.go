package scratch

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// left are the names in a directory.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func made(t *testing.T) *Dir {
	t.Helper()
	d, err := New("test")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What a program left behind is removed by the next one, and what others still use,
// or somebody else made, is not.
func TestSweep(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	foreign := filepath.Join(temp, "throughline-of-somebody")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	gone, lives := made(t), made(t)
	for _, d := range []*Dir{gone, lives} {
		if err := os.WriteFile(filepath.Join(d.Path, "wal"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone.lock.Close() // as the kernel does when a program is killed
	next := made(t)
	want := []string{filepath.Base(foreign), filepath.Base(lives.top), filepath.Base(next.top)}
	slices.Sort(want)
	if got := left(t, temp); !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	if got := left(t, lives.Path); !slices.Equal(got, []string{"wal"}) {
		t.Errorf("in one that is used there are %v", got)
	}
	if got := left(t, next.Path); len(got) != 0 {
		t.Errorf("a new one has %v", got)
	}
	for _, d := range []*Dir{lives, next} {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if got := left(t, temp); len(got) != 1 {
		t.Errorf("after Remove there are %v", got)
	}
}

func TestNowhere(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	if _, err := New("test"); err == nil {
		t.Error("a directory was made where there is none to make it in")
	}
}

// Directories are found by what they are for, while their programs run.
func TestFind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := made(t)
	if got := Find("test"); !slices.Equal(got, []string{d.Path}) {
		t.Errorf("found %q, want %q", got, d.Path)
	}
	if got := Find("other"); len(got) > 0 {
		t.Errorf("found %q", got)
	}
	if err := d.lock.Close(); err != nil { // as when its program is killed
		t.Fatal(err)
	}
	if got := Find("test"); len(got) > 0 {
		t.Errorf("found %q, whose program is gone", got)
	}
	if err := os.MkdirAll(filepath.Join(os.TempDir(), prefix+"test-foreign", content), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := Find("test"); len(got) > 0 {
		t.Errorf("found %q, which is none of these", got)
	}
}
