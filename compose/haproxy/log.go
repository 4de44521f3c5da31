package haproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NoServer is the LogLine.Server of a request that no server was chosen for.
const NoServer = "<NOSRV>"

// LogIDLength is how many bytes of an X-Request-Id are logged at most; what is
// longer is cut.
const LogIDLength = 128

// LogLineLength is the longest line that is logged, in bytes: an id of which
// each byte needs six, and the rest with room to spare.
const LogLineLength = 2048

// ErrNotice is for a line of HAProxy about itself, such as "Proxy fe_main
// stopped": it goes to the same log server and concerns no request.
var ErrNotice = errors.New("not about a request")

// LogLine is what HAProxy says of one request when it has ended. It says nothing
// of one that it drops without an answer: where a connection to a server that
// was used before breaks under a request, HAProxy closes the client's, so that
// the client can repeat what it sent.
type LogLine struct {
	At     time.Time // HAProxy's wall clock when it had ended, to the µs
	Server string    // that had the request last, or NoServer
	Status int       // as sent to the client; 0: none
	// Answered: the server answered; else the answer, if there is one, was
	// made by HAProxy itself.
	Answered bool
	// Retries is how often the request was tried again, on whatever server,
	// for whatever reason retry-on allows. Redispatched: the last of these
	// gave up the server for another, as HAProxy does at once when a
	// connection cannot be established and there is another server.
	Retries      int
	Redispatched bool
	// Termination is HAProxy's session state: by what the session ended
	// first and in which state it was; "--" is a normal end.
	// Source: https://docs.haproxy.org/2.6/configuration.html#8.5
	Termination string
	RequestID   string // X-Request-Id; empty: none, or an empty one
}

// logFormat is the log-format that ParseLog reads. The id comes last and is
// escaped as in JSON, each byte that is not printable ASCII as \u00XX: it is
// whatever a client sent. var(txn.answered) is set by an http-response rule,
// which HAProxy does not apply to answers that it makes itself.
const logFormat = `request %[date(0,us)] %s %ST %rc %ts %[var(txn.answered)] %{+Q}[capture.req.hdr(0),json(ascii)]`

// ParseLog reads one line of the log:
//
//	line     = "request " us " " server " " status " " retries " " state " " answered " " id [ "\n" ]
//	us       = microseconds since 1970
//	server   = its name, or "<NOSRV>"
//	status   = "-1" (none was sent) or three digits
//	retries  = [ "+" ] number             "+": redispatched
//	state    = two characters
//	answered = "1" or "-"
//	id       = a JSON string
//
// It returns ErrNotice for a line that does not begin with "request ".
func ParseLog(line string) (LogLine, error) {
	rest, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "request ")
	if !found {
		return LogLine{}, ErrNotice
	}
	fail := func(what, got string) (LogLine, error) {
		return LogLine{}, fmt.Errorf("haproxy's log: %s %q in %q", what, got, line)
	}
	var f [6]string
	for i := range f {
		if f[i], rest, found = strings.Cut(rest, " "); !found || f[i] == "" {
			return fail("too few fields", line)
		}
	}
	l := LogLine{Server: f[1], Termination: f[4], Answered: f[5] == "1"}
	us, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || us < 0 {
		return fail("time", f[0])
	}
	l.At = time.UnixMicro(us)
	if l.Status, err = strconv.Atoi(f[2]); err != nil || l.Status != -1 && (l.Status < 100 || l.Status > 999) {
		return fail("status", f[2])
	}
	l.Status = max(0, l.Status)
	retries, redispatched := strings.CutPrefix(f[3], "+")
	l.Redispatched = redispatched
	tries, err := strconv.ParseUint(retries, 10, 16)
	if err != nil {
		return fail("retries", f[3])
	}
	l.Retries = int(tries)
	if len(l.Termination) != 2 {
		return fail("state", l.Termination)
	}
	if !l.Answered && f[5] != "-" {
		return fail("mark of an answer", f[5])
	}
	if l.RequestID, err = unquote(rest); err != nil {
		return fail("id", rest)
	}
	return l, nil
}

// unquote reads a JSON string; most have nothing escaped.
func unquote(s string) (string, error) {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' && !strings.ContainsFunc(s[1:n-1], escaped) {
		return s[1 : n-1], nil
	}
	var text string
	if len(s) == 0 || s[0] != '"' { // null would do for encoding/json
		return "", errors.New("not quoted")
	}
	err := json.Unmarshal([]byte(s), &text)
	return text, err
}

func escaped(r rune) bool { return r == '\\' || r == '"' || r < ' ' || r > '~' }
