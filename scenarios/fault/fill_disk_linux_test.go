package fault

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFillDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("it takes the right to mount: ", err)
	}
	defer func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	file, err := os.Create(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	heal := injected(t, FillDisk{Name: "mongodb-1", Dir: func() (string, error) { return dir, nil }})
	if _, err := file.Write(make([]byte, 1)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("while it is full: %v", err)
	}
	if got := heal(); got["mongodb-1"] < 200 || got["mongodb-1"] > 256 {
		t.Errorf("it touched %v, want most of the 256 blocks of 4 KiB", got)
	}
	if _, err := file.Write(make([]byte, 100<<10)); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A disk that is not the database's own is never filled.
func TestFillDiskOfAllIsRefused(t *testing.T) {
	for name, dir := range map[string]func() (string, error){
		"everybody's": func() (string, error) { return "/", nil },
		"nobody's":    func() (string, error) { return "", errors.New("no such instance") },
	} {
		f := FillDisk{Name: "mongodb-1", Dir: dir}
		if f.Possible() == nil {
			t.Errorf("%s is possible", name)
		}
		if _, err := f.Inject(t.Context()); err == nil {
			t.Errorf("%s was filled", name)
		}
	}
}
