package fault

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo is a server that says what it is told, and ends when its client has ended. Each connection is handed over.
func echo(t *testing.T) (addr string, conns <-chan *net.TCPConn, stop func()) {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listen.Close() })
	out := make(chan *net.TCPConn, 64)
	go func() {
		for {
			conn, err := listen.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			out <- conn.(*net.TCPConn)
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.(*net.TCPConn).CloseWrite()
			}()
		}
	}()
	return listen.Addr().String(), out, func() { listen.Close() }
}

// linksTo are links with one, of web-1, to a target.
func linksTo(t *testing.T, target string, mortal bool) (*Links, string) {
	t.Helper()
	ls := NewLinks("127.0.0.1", mortal)
	t.Cleanup(func() {
		if err := ls.Close(); err != nil {
			t.Error(err)
		}
	})
	addr, err := ls.Open("web-1", target)
	if err != nil {
		t.Fatal(err)
	}
	return ls, addr
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// say says something and wants it back.
func say(t *testing.T, conn net.Conn, text string) time.Duration {
	t.Helper()
	begin := time.Now()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(text))
	if _, err := io.ReadFull(conn, back); err != nil {
		t.Fatal(err)
	}
	if string(back) != text {
		t.Fatalf("%d bytes came back changed", len(text))
	}
	return time.Since(begin)
}

// greet connects and listens. The reset may come before connecting is over.
func greet(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	return err
}

func injected(t *testing.T, f Fault) func() Touched {
	t.Helper()
	if err := f.Possible(); err != nil {
		t.Skip(err)
	}
	heal, err := f.Inject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func() Touched {
		touched, err := heal(t.Context())
		if err != nil {
			t.Error(err)
		}
		return touched
	}
}

func TestLinkCarriesWhatItIsGiven(t *testing.T) {
	target, _, _ := echo(t)
	_, addr := linksTo(t, target, false)
	conn := dial(t, addr)
	say(t, conn, "hello")
	go func() { _, _ = io.WriteString(conn, strings.Repeat("x", 1<<20)) }()
	if n, err := io.Copy(io.Discard, io.LimitReader(conn, 1<<20)); n != 1<<20 || err != nil {
		t.Errorf("of a long message came back %d bytes, %v", n, err)
	}
}

// What is said after one side has ended still arrives.
func TestLinkEndsEachDirectionByItself(t *testing.T) {
	target, _, _ := echo(t)
	_, addr := linksTo(t, target, false)
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, "last words"); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); string(all) != "last words" || err != nil {
		t.Errorf("got %q, %v", all, err)
	}
}

func TestSlowNetwork(t *testing.T) {
	target, _, _ := echo(t)
	ls, addr := linksTo(t, target, false)
	conn := dial(t, addr)
	say(t, conn, "x")
	heal := injected(t, Network{Name: "slow-network", Links: ls, Latency: 60 * time.Millisecond})
	for _, c := range []net.Conn{conn, dial(t, addr)} {
		if took := say(t, c, "x"); took < 120*time.Millisecond {
			t.Errorf("there and back took %v, want 120ms or more", took)
		}
	}
	if got := heal(); got["web-1"] != 4 {
		t.Errorf("it touched %v, want 4 pieces of web-1", got)
	}
	again := injected(t, Network{Name: "slow-network", Links: ls, Latency: time.Hour})
	again() // else this takes an hour
	say(t, conn, "x")
}

func TestThrottledNetwork(t *testing.T) {
	target, _, _ := echo(t)
	ls, addr := linksTo(t, target, false)
	conn := dial(t, addr)
	heal := injected(t, Network{Name: "throttle-network", Links: ls, Bandwidth: 100_000})
	// 30 KB pass one way in 300 ms, and the first of them come back meanwhile.
	if took := say(t, conn, strings.Repeat("x", 30_000)); took < 300*time.Millisecond {
		t.Errorf("30 KB took %v there and back, want 300ms or more", took)
	}
	// The connections of a link share its bandwidth.
	begin := time.Now()
	done := make(chan error, 2)
	for range cap(done) {
		c := dial(t, addr)
		go func() {
			_, err := io.WriteString(c, strings.Repeat("x", 15_000))
			if err == nil {
				_, err = io.CopyN(io.Discard, c, 15_000)
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("15 KB on each of two connections took %v, want 300ms or more", took)
	}
	if got := heal(); got["web-1"] < 15 {
		t.Errorf("it touched %v, want the 60 KB of web-1 there and some back", got)
	}
}

// While a network is cut nothing passes, nobody can connect, and what was said arrives when it is whole again.
func TestCutNetwork(t *testing.T) {
	target, conns, _ := echo(t)
	ls, addr := linksTo(t, target, false)
	talking, closing := dial(t, addr), dial(t, addr)
	say(t, talking, "x")
	say(t, closing, "x")
	<-conns
	closingThere := <-conns
	heal := injected(t, Network{Name: "cut-network", Links: ls, Cut: true})
	if _, err := io.WriteString(talking, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	if err := closing.Close(); err != nil {
		t.Fatal(err)
	}
	_ = talking.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := talking.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while it is cut came %d bytes, %v", n, err)
	}
	if conn, err := net.DialTimeout("tcp", addr, 300*time.Millisecond); err == nil {
		conn.Close()
		t.Error("somebody was answered who connected while it was cut")
	} else if !os.IsTimeout(err) {
		t.Errorf("who connected got %v, want no answer", err)
	}
	_ = talking.SetReadDeadline(time.Now().Add(20 * time.Second))
	if got := heal(); got["web-1"] != 1 {
		t.Errorf("it touched %v, want 1 piece of web-1", got)
	}
	if back, err := io.ReadAll(io.LimitReader(talking, 9)); string(back) != "meanwhile" || err != nil {
		t.Errorf("after it came %q, %v", back, err)
	}
	_ = closingThere.SetReadDeadline(time.Now().Add(20 * time.Second))
	select {
	case conn := <-conns:
		t.Errorf("the target was connected with from %v by nobody", conn.RemoteAddr())
	case <-time.After(50 * time.Millisecond):
	}
	say(t, dial(t, addr), "again")
	// It can be cut again, and a link that is cut can be closed.
	injected(t, Network{Name: "cut-network", Links: ls, Cut: true})
}

func TestResetNetwork(t *testing.T) {
	target, conns, _ := echo(t)
	ls, addr := linksTo(t, target, false)
	idle, busy := dial(t, addr), dial(t, addr)
	say(t, idle, "x")
	say(t, busy, "x")
	there := <-conns
	<-conns
	if got := injected(t, ResetNetwork{Links: ls, On: "web-1"})(); got["web-1"] != 2 {
		t.Errorf("it touched %v, want 2 connections of web-1", got)
	}
	for _, conn := range []net.Conn{idle, busy} {
		if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %d bytes, %v, want a reset", n, err)
		}
	}
	// The other end is told too: whatever reads there has ended, and nothing can be said.
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err := there.Write([]byte("x")); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the target was not told that the connection was reset")
		}
	}
	say(t, dial(t, addr), "again")
}

// A reset of the target reaches who has come, as a reset.
func TestLinkPassesResetsOn(t *testing.T) {
	target, conns, _ := echo(t)
	_, addr := linksTo(t, target, false)
	conn := dial(t, addr)
	say(t, conn, "x")
	reset(<-conns)
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %d bytes, %v, want a reset", n, err)
	}
}

// A target that is gone looks so: the first who comes is reset, all others are refused, and nobody gets the number.
func TestLinkToADeadTarget(t *testing.T) {
	target, _, stop := echo(t)
	_, addr := linksTo(t, target, true)
	say(t, dial(t, addr), "x")
	stop()
	if err := greet(addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the first got %v, want a reset", err)
	}
	for range 3 {
		if conn, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			if err == nil {
				conn.Close()
			}
			t.Errorf("another one got %v, want to be refused", err)
		}
	}
	if !canDeafen {
		return
	}
	for range 2000 {
		other, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if other.Addr().String() == addr {
			t.Error("somebody else got the number of a link that is gone")
		}
		other.Close()
	}
}

// A target that may come back does.
func TestLinkToATargetThatComesBack(t *testing.T) {
	target, _, stop := echo(t)
	_, addr := linksTo(t, target, false)
	stop()
	for range 2 {
		if err := greet(addr); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("while nobody listens came %v, want a reset", err)
		}
	}
	back, err := net.Listen("tcp", target)
	if err != nil {
		t.Skip(err) // somebody else has taken the port
	}
	defer back.Close()
	go func() {
		if conn, err := back.Accept(); err == nil {
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	say(t, dial(t, addr), "x")
}

func TestRetiredLinkRefuses(t *testing.T) {
	target, _, _ := echo(t)
	ls, addr := linksTo(t, target, true)
	conn := dial(t, addr)
	say(t, conn, "x")
	ls.Retire("web-1")
	ls.Retire("web-1")
	ls.Retire("web-9") // of whom there is none
	if conn, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			conn.Close()
		}
		t.Errorf("who came got %v, want to be refused", err)
	}
	say(t, conn, "goes on")
}

// A fault of one instance is not another's, and one of all is also that of who comes later.
func TestWhoseNetworkIsStruck(t *testing.T) {
	target, _, _ := echo(t)
	ls, first := linksTo(t, target, true)
	slow := func(on string) Network {
		return Network{Name: "slow-network", Links: ls, On: on, Latency: 50 * time.Millisecond}
	}
	for _, on := range []string{"", "web-2"} {
		heal := func() Touched { return nil }
		if on == "" {
			heal = injected(t, slow(on))
		}
		name := fmt.Sprintf("web-%d", 2+len(on)) // web-2, then another
		second, err := ls.Open(name, target)
		if err != nil {
			t.Fatal(err)
		}
		if on != "" {
			f := slow(name)
			heal = injected(t, f)
			if _, err := f.Inject(t.Context()); err == nil || err.Error() != "slow-network: goes on already; heal it first" {
				t.Errorf("a second of its name: %v", err)
			}
		}
		if took := say(t, dial(t, second), "x"); took < 100*time.Millisecond {
			t.Errorf("on %q: what is struck took %v", on, took)
		}
		say(t, dial(t, first), "x")
		touched := heal()
		if touched[name] != 2 || (touched["web-1"] > 0) != (on == "") {
			t.Errorf("on %q it touched %v", on, touched)
		}
	}
	if _, err := slow("web-9").Inject(t.Context()); err == nil || err.Error() != "slow-network: no link carries the connections of web-9 (have web-1, web-2, web-7)" {
		t.Errorf("on nobody: %v", err)
	}
	if _, err := (ResetNetwork{Links: ls, On: "web-9"}).Inject(t.Context()); err == nil {
		t.Error("the connections of nobody were reset")
	}
	if _, err := ls.Open("web-1", target); err == nil || err.Error() != "link of web-1: there was one; give each instance a name of its own" {
		t.Errorf("a second link of web-1: %v", err)
	}
}

// Nothing is left of links that were closed, whatever was under way.
func TestNothingIsLeftOfLinks(t *testing.T) {
	before := runtime.NumGoroutine()
	target, conns, stop := echo(t)
	ls := NewLinks("127.0.0.1", true)
	addr, err := ls.Open("web-1", target)
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	for range 20 {
		conn := dial(t, addr)
		say(t, conn, "x")
		open = append(open, conn)
	}
	injected(t, Network{Name: "slow-network", Links: ls, Latency: time.Hour})
	for _, conn := range open[:10] {
		_, _ = io.WriteString(conn, "never arrives")
	}
	if canDeafen {
		injected(t, Network{Name: "cut-network", Links: ls, Cut: true})
	}
	if err := ls.Close(); err != nil {
		t.Error(err)
	}
	stop()
	for range open {
		(<-conns).Close()
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
