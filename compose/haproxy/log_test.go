package haproxy

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseLog(t *testing.T) {
	at := time.UnixMicro(1795386092568046)
	for line, want := range map[string]LogLine{
		`request 1795386092568046 web-1 200 0 -- 1 "r-2"`:            {At: at, Server: "web-1", Status: 200, Answered: true, Termination: "--", RequestID: "r-2"},
		"request 1795386092568046 <NOSRV> 503 0 SC - \"r-1\"\n":      {At: at, Server: NoServer, Status: 503, Termination: "SC", RequestID: "r-1"},
		`request 1795386092568046 <NOSRV> 400 0 PR - ""`:             {At: at, Server: NoServer, Status: 400, Termination: "PR"},
		`request 1795386092568046 web-2 503 +3 SC - "r-7"`:           {At: at, Server: "web-2", Status: 503, Retries: 3, Redispatched: true, Termination: "SC", RequestID: "r-7"},
		`request 1795386092568046 web-1 502 3 SH - "r-4"`:            {At: at, Server: "web-1", Status: 502, Retries: 3, Termination: "SH", RequestID: "r-4"},
		`request 1795386092568046 web-1 -1 0 CD - "r-4"`:             {At: at, Server: "web-1", Termination: "CD", RequestID: "r-4"},
		`request 1795386092568046 a:b 200 0 -- 1 "a \"q\\ \u00ff y"`: {At: at, Server: "a:b", Status: 200, Answered: true, Termination: "--", RequestID: "a \"q\\ \u00ff y"},
	} {
		got, err := ParseLog(line)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", line, err, diff)
		}
	}
	for line, want := range map[string]string{
		``: ErrNotice.Error(),
		`Proxy fe_main stopped (cumulated conns: FE: 1)`: ErrNotice.Error(),
		`request `:                                    "too few fields",
		`request 1 web-1 200 0 --`:                    "too few fields",
		`request 1  200 0 -- 1 "r-1"`:                 "too few fields",
		`request -1 web-1 200 0 -- 1 "r-1"`:           `time "-1"`,
		`request now web-1 200 0 -- 1 "r-1"`:          `time "now"`,
		`request 1 web-1 20 0 -- 1 "r-1"`:             `status "20"`,
		`request 1 web-1 200 ++1 -- 1 "r-1"`:          `retries "++1"`,
		`request 1 web-1 200 99999 -- 1 "r-1"`:        `retries "99999"`,
		`request 1 web-1 200 0 --- 1 "r-1"`:           `state "---"`,
		`request 1 web-1 200 0 -- 200 "r-1"`:          `mark of an answer "200"`,
		`request 1 web-1 200 0 -- 1 r-1`:              `id "r-1"`,
		`request 1 web-1 200 0 -- 1 null`:             `id "null"`,
		`request 1 web-1 200 0 -- 1 "r-1`:             `id "\"r-1"`,
		`request 1 web-1 200 0 -- 1 "a" "b"`:          `id "\"a\" \"b\""`,
		"request 1 web-1 200 0 -- 1 \"a\nrequest 1\"": "id ",
	} {
		if got, err := ParseLog(line); err == nil || !strings.Contains(err.Error(), want) || got != (LogLine{}) {
			t.Errorf("%q: %+v, %v; want %q", line, got, err, want)
		}
	}
}

func FuzzParseLog(f *testing.F) {
	f.Add(`request 1795386092568046 web-1 200 +2 SC - "r-2\u00ff"`)
	f.Add("request 1 <NOSRV> -1 0 CR - \"\"\n")
	f.Add("Proxy be_web started.")
	f.Fuzz(func(t *testing.T, line string) {
		l, err := ParseLog(line)
		if err != nil {
			if l != (LogLine{}) {
				t.Errorf("%q: %+v with the error %v", line, l, err)
			}
			if isNotice := !strings.HasPrefix(line, "request "); isNotice != errors.Is(err, ErrNotice) {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		if l.Server == "" || strings.Contains(l.Server, " ") || l.Status != 0 && (l.Status < 100 || l.Status > 999) ||
			l.Retries < 0 || len(l.Termination) != 2 || len(l.RequestID) > len(line) {
			t.Errorf("%q: %+v", line, l)
		}
	})
}

// logServer is a log server of this test.
type logServer struct{ net.PacketConn }

func startLog(t *testing.T) logServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return logServer{conn}
}

// next is the next line about a request.
func (s logServer) next(t *testing.T) LogLine {
	t.Helper()
	buf := make([]byte, LogLineLength+1)
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		n, _, err := s.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		l, err := ParseLog(string(buf[:n]))
		if errors.Is(err, ErrNotice) {
			continue
		}
		if age := time.Since(l.At); err != nil || age < -time.Minute || age > time.Minute {
			t.Fatalf("%v: %q", err, buf[:n])
		}
		l.At = time.Time{}
		return l
	}
}

// ask sends a request with an id, whatever bytes are in it. It gives up when
// there is no answer within half a second.
func ask(t *testing.T, l *lb, path, id string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nX-Request-Id: " + id + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Read(make([]byte, 1)) // the log tells what it came to
}

// TestHAProxyLogsEachRequestOnce asks a real HAProxy. Health checks run all the
// while, and a connection on which nothing is sent is opened before each
// request: neither may appear.
func TestHAProxyLogsEachRequestOnce(t *testing.T) {
	log := startLog(t)
	l := startLB(t, Config{ServerTimeout: time.Second, Log: log.LocalAddr().String()})
	one, two := startWeb(t, "web-1"), startWeb(t, "web-2")
	expect := func(path, id string, want LogLine) {
		t.Helper()
		idle, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		idle.Close()
		ask(t, l, path, id)
		if diff := cmp.Diff(want, log.next(t)); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", path, id, diff)
		}
	}
	expect("/x", "r-0", LogLine{Server: NoServer, Status: 503, Termination: "SC", RequestID: "r-0"})
	l.add(t, one)
	ok := LogLine{Server: "web-1", Status: 200, Answered: true, Termination: "--"}
	for id, logged := range map[string]string{
		"r-1": "r-1", "": "", "-": "-", `a "b" \ ] #22 é` + "\ty": `a "b" \ ] #22 Ã©` + "\ty", `\u0041`: `\u0041`,
		strings.Repeat("\xff", 300): strings.Repeat("ÿ", LogIDLength),
	} {
		ok.RequestID = logged
		expect("/x", id, ok)
	}
	expect("/teapot", "r-2", LogLine{Server: "web-1", Status: http.StatusTeapot, Answered: true, Termination: "--", RequestID: "r-2"})
	expect("/garbage", "r-3", LogLine{Server: "web-1", Status: 502, Termination: "PH", RequestID: "r-3"})
	// The server is slower than the client's patience: logged when it answers.
	expect("/slow?for=700ms", "r-4", LogLine{Server: "web-1", Status: 200, Answered: true, Termination: "--", RequestID: "r-4"})
	expect("/hang", "r-5", LogLine{Server: "web-1", Status: 504, Termination: "sH", RequestID: "r-5"})

	l.add(t, two)
	two.kill()
	var redispatched, normal LogLine
	for redispatched.Server == "" || normal.Server == "" {
		ask(t, l, "/x", "r-6")
		line := log.next(t)
		if line.Retries > 0 {
			redispatched = line
		} else {
			normal = line
		}
	}
	ok.RequestID = "r-6"
	if diff := cmp.Diff(ok, normal); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ok.Retries, ok.Redispatched = 1, true
	if diff := cmp.Diff(ok, redispatched); diff != "" {
		t.Errorf("to another server after one refused (-want +got):\n%s", diff)
	}
}

func TestLogAddress(t *testing.T) {
	for _, addr := range []string{"localhost:514", "127.0.0.1", "127.0.0.1:1 local0"} {
		if _, err := (Config{Log: addr}).Render("127.0.0.1:80", "127.0.0.1:81"); err == nil || !strings.Contains(err.Error(), "log address") {
			t.Errorf("%s: error = %v", addr, err)
		}
	}
	text, err := Config{}.Render("127.0.0.1:80", "127.0.0.1:81")
	if err != nil || strings.Contains(text, "log") {
		t.Errorf("without a log server: %v\n%s", err, text)
	}
}
