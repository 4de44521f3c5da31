package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLoadOfWorkers: the ledger of a load that three processes share has each request once, and each came with the name of whose it was.
func TestLoadOfWorkers(t *testing.T) {
	var mu sync.Mutex
	came := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, id, _ := strings.Cut(r.Header.Get("X-Request-Id"), "-")
		came[id]++
	}))
	defer s.Close()
	path := filepath.Join(t.TempDir(), "ledger.csv")
	var stderr bytes.Buffer
	cmd := exec.Command(binary, "load", "--target", s.URL, "--rate", "60/s", "--for", "1s", "--workers", "3", "--ledger", path)
	cmd.Stderr = &stderr
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	if strings.Contains(stderr.String(), "the schedule was missed") {
		t.Skip("this machine was too busy for the load")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) < 60 || len(rows)-1 != len(came) {
		t.Fatalf("%d rows of %d requests, %v, %s", len(rows)-1, len(came), err, stderr.String())
	}
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[0])
		if id := fmt.Sprintf("w%d-%d", n%3+1, n); err != nil || came[id] != 1 {
			t.Errorf("request %s came %d times as %s, %v", row[0], came[id], id, err)
		}
	}
	if cmd.ProcessState.ExitCode() != exitPass {
		t.Errorf("it ends with %d: %s", cmd.ProcessState.ExitCode(), stderr.String())
	}
}

func TestWorkersThatCannotBe(t *testing.T) {
	for want, args := range map[string][]string{
		"--workers 101: want 1 to 100, or 0 for none": {"load", "--target", "http://127.0.0.1:1", "--workers", "101"},
		"a worker is started by its coordinator":      {"worker"},
	} {
		if out, err := exec.Command(binary, args...).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}
