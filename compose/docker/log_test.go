package docker

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// engineWithLog answers as an engine does that has this log: from the first message on that is not before Since, in the order in which
// they were written down.
type engineWithLog struct {
	client.APIClient
	messages []message
	gave     int // messages, by the last answer
}

type message struct {
	at     time.Time
	stream byte // 1: standard output, 2: standard error
	text   string
}

func (e *engineWithLog) ContainerLogs(_ context.Context, _ string, o client.ContainerLogsOptions) (client.ContainerLogsResult, error) {
	var since time.Time
	if o.Since != "" {
		whole, part, _ := strings.Cut(o.Since, ".")
		s, err1 := strconv.ParseInt(whole, 10, 64)
		ns, err2 := strconv.ParseInt(part, 10, 64)
		if err1 != nil || err2 != nil || len(part) != 9 {
			return nil, fmt.Errorf("since %q", o.Since)
		}
		since = time.Unix(s, ns)
	}
	var b bytes.Buffer
	e.gave = 0
	for _, m := range e.messages {
		if m.at.Before(since) {
			continue
		}
		e.gave++
		text := m.at.UTC().Format(time.RFC3339Nano) + " " + m.text
		b.Write([]byte{m.stream, 0, 0, 0})
		_ = binary.Write(&b, binary.BigEndian, uint32(len(text))) // to a buffer
		b.WriteString(text)
	}
	return io.NopCloser(&b), nil
}

// What is read on is each message once, in the engine's order, also where two came at one time or a later one was written down first;
// and what is long past is not asked for again.
func TestLogsAreReadOn(t *testing.T) {
	zero := time.Date(2013, 11, 14, 9, 0, 0, 0, time.UTC)
	say := func(ms int, stream byte, text string) message {
		return message{zero.Add(time.Duration(ms) * time.Millisecond), stream, text}
	}
	e := &engineWithLog{}
	l := &logFile{path: filepath.Join(t.TempDir(), "a.log"), client: e}
	want := ""
	for round, fresh := range [][]message{
		{},
		{say(0, 1, "one\n"), say(10, 2, "two\n")},
		{say(10, 1, "three, of the same time\n"), say(5, 2, "four, before its time\n")},
		{},
		{say(3000, 1, "five, and no end of the line")},
		{say(3001, 1, " yet\n"), say(2500, 2, "six\n")},
		{say(9000, 1, "seven\n")},
	} {
		for _, m := range fresh {
			want += m.text
		}
		e.messages = append(e.messages, fresh...)
		if err := l.readOn(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(l.path)
		if err != nil || string(got) != want {
			t.Fatalf("round %d: %v\n%s\nwant\n%s", round, err, got, want)
		}
	}
	if err := l.readOn(t.Context()); err != nil || e.gave != 1 {
		t.Errorf("the engine gave %d messages again (%v), want the last one alone", e.gave, err)
	}
}

// A log that is not as the engine writes it is an error, and no line of somebody's.
func TestALogWithoutTimes(t *testing.T) {
	if _, err := (&messages{to: io.Discard}).Write([]byte("no time here\n")); err == nil || !strings.Contains(err.Error(), "no time before") {
		t.Errorf("it is taken: %v", err)
	}
}
