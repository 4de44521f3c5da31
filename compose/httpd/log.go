package httpd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// LogLine is what httpd says of one request when it has ended. Of one that it was killed under it says nothing.
type LogLine struct {
	At     time.Time // when it had ended, to the µs
	Status int       // that of the answer
	// Answered: the instance answered; else httpd did. A 502 of its own is for most users no answer at all: where
	// the instance breaks under a request that is not the first of its connection, httpd closes that.
	Answered bool
	// Took is how long the request was on a worker, and First how long until the answer began; neither has the time that it
	// waited for a worker. First is 0 where no answer was sent.
	Took, First time.Duration
	Kind        Kind
	RequestID   string // X-Request-Id; empty: none, or an empty one
}

// Kind is whose request a line is about.
type Kind byte

// The kinds.
const (
	Users Kind = iota // what the load balancer passed on
	Check             // a health check
	Look              // a look at StatusPath
)

// ErrNotice is for a line that is about no request, as the error log's are, which come in the same stream.
var ErrNotice = errors.New("not about a request")

// logPrefix begins the lines of the access log.
const logPrefix = "access "

// logFormat is what ParseLog reads. The id comes last, in quotes: httpd writes what is not printable as \xhh, and a backslash
// before quotes and backslashes.
// Source: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
const logFormat = logPrefix + `%{end:usec}t %>s %{` + ServedBy + `}o %D %^FB %{kind}e \"%{X-Request-Id}i\"`

// none is what httpd writes for what is not there.
const none = "-"

// ParseLog reads one line:
//
//	line = "access " us " " status " " served-by " " us " " us " " kind " " id [ "\n" ]
//
// where what is not there is "-", and served-by is the instance's name. It returns ErrNotice for a line that does not begin
// with "access ".
func ParseLog(line string) (LogLine, error) {
	rest, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), logPrefix)
	if !found {
		return LogLine{}, ErrNotice
	}
	fail := func(what, got string) (LogLine, error) {
		return LogLine{}, fmt.Errorf("httpd's log: %s %q in %q", what, got, line)
	}
	var f [6]string
	for i := range f {
		if f[i], rest, found = strings.Cut(rest, " "); !found || f[i] == "" {
			return fail("too few fields", line)
		}
	}
	at, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || at < 0 {
		return fail("time", f[0])
	}
	l := LogLine{At: time.UnixMicro(at), Answered: f[2] != none}
	if l.Status, err = strconv.Atoi(f[1]); err != nil || l.Status < 100 || l.Status > 999 {
		return fail("status", f[1])
	}
	if l.Took, err = micros(f[3]); err != nil {
		return fail("duration", f[3])
	}
	if l.First, err = micros(f[4]); err != nil {
		return fail("time to the answer", f[4])
	}
	switch f[5] {
	case none:
	case "check":
		l.Kind = Check
	case "status":
		l.Kind = Look
	default:
		return fail("kind", f[5])
	}
	if l.RequestID, err = unquote(rest); err != nil {
		return fail("id", rest)
	}
	return l, nil
}

func micros(field string) (time.Duration, error) {
	if field == none {
		return 0, nil
	}
	n, err := strconv.ParseInt(field, 10, 64)
	// The clock of which httpd takes these may be set.
	return time.Duration(max(0, n)) * time.Microsecond, err
}

// unquote reads what httpd has escaped; "-" alone is what is not there.
func unquote(s string) (string, error) {
	if s == `"-"` {
		return "", nil
	}
	return strconv.Unquote(strings.ReplaceAll(s, `\'`, `'`))
}
