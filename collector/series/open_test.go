package series

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/collector"
)

// crashDir tells a child process of this test where to append until it is
// killed.
const crashDir = "SERIES_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		appendForever(dir)
	}
	if dir := os.Getenv(goOnDir); dir != "" {
		goOn(dir)
	}
	os.Exit(m.Run())
}

// appendForever says on standard output what is appended, after it is. It gives
// up after a minute, should nobody kill it.
func appendForever(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	h := &collector.Histogram{Schema: 4, Count: 2, Sum: 3, Positive: []collector.Bucket{{Index: 1, Count: 2}}}
	begun := time.Now()
	for i := 0; time.Since(begun) < time.Minute; i++ {
		when := float64(i) / 10
		err := s.Append(float("x", when, float64(i), "instance", "web-1"), float("x", when, float64(-i), "instance", "web-2"), distribution("delay", when, h))
		if i%10 == 5 { // one of them late
			err = errors.Join(err, s.Append(float("late", when, 1), float("late", when-0.5, 2)))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
	os.Exit(1)
}

func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var i int
		if _, err := fmt.Sscan(lines.Text(), &i); err != nil {
			t.Errorf("the child says %s", lines.Text())
		}
		last = i
		if last == 300 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if last < 300 {
		t.Fatalf("the child ended after round %d", last)
	}
	s := open(t, dir)
	// A round may have been appended whose number was not written any more.
	for _, expr := range []string{`count_over_time(x{instance="web-1"}[1h])`, `count_over_time(x{instance="web-2"}[1h])`, `count_over_time(delay[1h])`} {
		if got := number(t, s, expr, 1800); got != float64(last+1) && got != float64(last+2) {
			t.Errorf("%s is %v after the kill, want %d", expr, got, last+1)
		}
	}
	if got, want := number(t, s, "count_over_time(late[1h])", 1800), float64(2*((last+5)/10)); got != want && got != want+1 && got != want+2 {
		t.Errorf("%v late samples, want %v", got, want)
	}
	wantNumber(t, s, `x{instance="web-1"}`, 30, 300)
	mustAppend(t, s, float("x", 3000, 1, "instance", "web-1"))
}

// TestOpenedAgain has samples before and after, also for the same time.
func TestOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	mustAppend(t, s, float("x", 10, 1), float("y", 20, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	wantNumber(t, s, "x", 10, 1)
	mustAppend(t, s, float("x", 10, 1), float("x", 15, 2), float("x", 16, 3), float("new", 12, 1), float("x", 25, 4))
	wantRefusal(t, s.Append(float("y", 20, 2)), "y at ", "there is 1")
	wantPoints(t, s, "x", "10=1", "15=2", "16=3", "25=4")
	wantPoints(t, s, "new", "12=1")
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	s, err := Open(dir, Options{})
	if err == nil {
		t.Error("a store was opened twice", s.Close())
	} else if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
}

func TestOpenWhereAFileIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// TestScratch keeps nothing for later.
func TestScratch(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Scratch: true})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, float("x", 1, 1), float("x", 20, 2), float("x", 10, 3))
	wantPoints(t, s, "x", "1=1", "10=3", "20=2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantPoints(t, open(t, dir), "x")
}

// TestSmallOnDisk: every run keeps a store, so that none may be preallocated by
// the megabyte.
func TestSmallOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 60 {
		for n := range 20 {
			mustAppend(t, s, float("x", float64(i), float64(i*n), "instance", fmt.Sprint("web-", n)))
		}
	}
	check := func(when string) {
		t.Helper()
		if size := diskUsage(t, dir); size > 1<<20 {
			t.Errorf("%s, 1200 samples take %d bytes", when, size)
		}
	}
	check("while open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed")
}

func diskUsage(t testing.TB, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir())
	mustAppend(t, s, float("x", 1, 1))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, instant := s.Query(context.Background(), "x", at(1))
	_, over := s.QueryRange(context.Background(), "x", at(1), at(2), time.Second)
	for what, err := range map[string]error{"append": s.Append(float("x", 2, 2)), "query": instant, "query range": over} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := get(t, s, "/api/v1/query?query=x"); got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestCloseWhileAsked: the database must not be closed under a query, which
// would read from files that are mapped no more.
func TestCloseWhileAsked(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 600 {
		mustAppend(t, s, float("x", float64(i), float64(i), "instance", "web-1"), float("x", float64(i), float64(i), "instance", "web-2"))
	}
	s.db.ForceHeadMMap()
	var asking sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		asking.Go(func() {
			for first := true; ; first = false {
				_, err := s.QueryRange(context.Background(), "sum(sum_over_time(x[10m]))", at(0), at(600), 10*time.Second)
				if first {
					started <- struct{}{}
				}
				switch {
				case errors.Is(err, errClosed):
					return
				case err != nil && !strings.Contains(err.Error(), "canceled"):
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	asking.Wait()
}

// TestSeriesOfGoneInstancesAreForgotten by the store's own memory, not by the
// database.
func TestSeriesOfGoneInstancesAreForgotten(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 1000 {
		name := fmt.Sprint("web-", i)
		mustAppend(t, s, float("x", float64(i), 1, "instance", name), float("steady", float64(i), 1))
		mustAppend(t, s, end("x", float64(i+1), "instance", name))
		if i == 0 {
			continue
		}
		mustAppend(t, s, end("x", float64(i), "instance", fmt.Sprint("web-", i-1))) // told twice
	}
	s.sweepAt = len(s.known)
	mustAppend(t, s, float("another", 1000, 1))
	if n := len(s.known); n > 40 {
		t.Errorf("%d series are known at the end, want those of the last 30 s", n)
	}
	wantNumber(t, s, "count(count_over_time(x[1h]))", 1000, 1000)
	wantRefusal(t, s.Append(float("x", 5, 2, "instance", "web-5")), `x{instance="web-5"}`)
	wantPoints(t, s, `x{instance="web-5"}`, "5=1")
}
