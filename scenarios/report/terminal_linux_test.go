package report

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal of so many columns; 0: it does not tell.
func openTerminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this system has no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return slave
}

func TestTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		columns uint16 // of the terminal; 1: it is a file
		env     map[string]string
		want    Terminal
	}{
		{100, nil, Terminal{100, true, true}},
		{100, map[string]string{"COLUMNS": "70"}, Terminal{100, true, true}}, // a terminal knows better
		{0, nil, Terminal{80, true, true}},
		{30, nil, Terminal{60, true, true}},
		{500, nil, Terminal{200, true, true}},
		{100, map[string]string{"NO_COLOR": "1"}, Terminal{100, false, true}},
		{100, map[string]string{"NO_COLOR": "1", "FORCE_COLOR": "1"}, Terminal{100, true, true}},
		{100, map[string]string{"FORCE_COLOR": "0"}, Terminal{100, false, true}},
		{100, map[string]string{"TERM": "dumb"}, Terminal{100, false, false}},
		{100, map[string]string{"TERM": "dumb", "FORCE_COLOR": "3"}, Terminal{100, true, false}},
		{1, nil, Terminal{80, false, false}},
		{1, map[string]string{"COLUMNS": "132"}, Terminal{132, false, false}},
		{1, map[string]string{"COLUMNS": "9999"}, Terminal{200, false, false}},
		{1, map[string]string{"COLUMNS": "-3"}, Terminal{80, false, false}},
		{1, map[string]string{"COLUMNS": "wide"}, Terminal{80, false, false}},
		{1, map[string]string{"FORCE_COLOR": "1", "TERM": "xterm"}, Terminal{80, true, false}},
	} {
		w := file
		if c.columns != 1 {
			w = openTerminal(t, c.columns)
		}
		if got := NewTerminal(w, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%d columns, %v: %+v, want %+v", c.columns, c.env, got, c.want)
		}
	}
}
