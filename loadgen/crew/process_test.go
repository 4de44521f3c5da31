package crew

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/loadgen"
)

// TestProcesses: workers that are processes send the one schedule, and one of them that is killed is missed by its number.
func TestProcesses(t *testing.T) {
	to, shut := serve(loopback(t))
	defer shut()
	journal := newNotes()
	n := 0
	crew, rows, s := send(t, testConfig(to.url, 2, loopback(t), Processes{Command: []string{os.Args[0]}}.Start, journal), 2*time.Second, func(c *Crew, _ loadgen.Row) {
		if n++; n == 1 {
			kill(t, c.seats[0].started.ID())
		}
	})
	e := journal.ended[1]
	if e.Expected || e.ID != crew.seats[0].started.ID() || e.How != "its connection is gone; its process has ended (SIGKILL)" {
		t.Errorf("it ended so: %+v", e)
	}
	if !journal.ended[2].Expected || !strings.Contains(s.Missed, "worker 1 of 2 was lost") {
		t.Errorf("%+v; missed: %s", journal.ended[2], s.Missed)
	}
	if want := loadgen.DueBy(crew.config.Load.Shape, s.Duration); uint64(len(rows))+s.Unsent != want {
		t.Errorf("%d rows and %d unsent of %d", len(rows), s.Unsent, want)
	}
}

func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestProcessThatCannotBeStarted(t *testing.T) {
	for command, want := range map[string]string{
		"/nowhere/at/all": "start worker 1: /nowhere/at/all: fork/exec",
		"false":           "start worker 1: its process has ended (exit status 1)",
	} {
		c := testConfig("http://127.0.0.1:1", 1, loopback(t), Processes{Command: []string{command}}.Start, nil)
		if _, err := Assemble(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
}

func TestInvitedNeedsAnInvitation(t *testing.T) {
	if _, err := Invited(); err == nil || !strings.Contains(err.Error(), "is started by its coordinator") {
		t.Errorf("%v", err)
	}
	t.Setenv(coordinatorVariable, "127.0.0.1:1")
	t.Setenv(numberVariable, "2")
	t.Setenv(tokenVariable, "sesame")
	i, err := Invited()
	if err != nil || i != (Invitation{Number: 2, Coordinator: "127.0.0.1:1", Token: "sesame"}) || os.Getenv(tokenVariable) != "" {
		t.Errorf("%+v, %v, and the token is still %q", i, err, os.Getenv(tokenVariable))
	}
	if _, err := i.Dial(); err == nil || !strings.HasPrefix(err.Error(), "worker 2: coordinator 127.0.0.1:1: ") {
		t.Errorf("%v", err)
	}
}

// orphansVariable makes this test binary a coordinator whose load goes to an address. It says the ids of its workers.
const orphansVariable = "THROUGHLINE_TEST_ORPHANS"

func leaveOrphans(target string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	c := Config{Load: loadgen.Config{Target: target, Run: "run", Routes: []loadgen.Route{{Name: "get", Path: "/get"}}}, Form: loadgen.Form{Rate: 50},
		Workers: 2, Listener: listener, Token: "sesame", Start: Processes{Command: []string{os.Args[0]}}.Start}
	crew, err := Assemble(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return
	}
	said := false
	crew.Run(context.Background(), func(loadgen.Row) {
		if !said {
			fmt.Println(crew.seats[0].started.ID(), crew.seats[1].started.ID())
			said = true
		}
	})
}

// TestKilledWithTheirCoordinator: when the coordinator is killed under load, its workers end, too.
func TestKilledWithTheirCoordinator(t *testing.T) {
	to, shut := serve(loopback(t))
	defer shut()
	coordinator := exec.Command(os.Args[0])
	coordinator.Env = append(os.Environ(), orphansVariable+"="+to.url)
	out, err := coordinator.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := coordinator.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	ids := strings.Fields(line)
	if len(ids) != 2 || !alive(t, ids[0]) || !alive(t, ids[1]) {
		t.Fatalf("it says %q", line)
	}
	if err := coordinator.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = coordinator.Wait() // it was killed
	for late := time.Now().Add(20 * time.Second); alive(t, ids[0]) || alive(t, ids[1]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("of the workers %s some have outlived who started them", line)
		}
	}
}

func kill(t *testing.T, id string) {
	pid, err := strconv.Atoi(id)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Error(err)
	}
}

// alive is false also of a process that has ended and whose new parent has not asked for it yet.
func alive(t *testing.T, id string) bool {
	pid, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err)
	}
	var name string
	var state byte
	_, err = fmt.Sscanf(string(stat), "%d %s %c", &pid, &name, &state)
	return err != nil || state != 'Z'
}
