package agent

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"time"
)

// window is what came since the last was sent on: counts added up, of each gauge the last value, and all else as it came.
type window struct {
	began  time.Time // with its first line; zero: nothing has come
	counts totals
	gauges totals
	others []string // whole lines, in order
}

// totals are numbers by what identifies their series, in the order in which these came first.
type totals struct {
	at    map[series]int
	order []series
	value []float64
}

// series is what identifies one: its name, and all that stands behind the type but for the sample rate.
type series struct{ name, rest string }

func (t *totals) place(s series) *float64 {
	if t.at == nil {
		t.at = map[series]int{}
	}
	at, known := t.at[s]
	if !known {
		at = len(t.order)
		t.at[s] = at
		t.order, t.value = append(t.order, s), append(t.value, 0)
	}
	return &t.value[at]
}

func (t *totals) has(s series) bool {
	_, known := t.at[s]
	return known
}

// add takes in the lines of a datagram.
func (w *window) add(datagram []byte, now time.Time) {
	for line := range bytes.Lines(datagram) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if w.began.IsZero() {
			w.began = now
		}
		w.line(string(line))
	}
}

// line takes in a line, "name:value|type|@rate|#tags". One that it does not understand it sends on as it is: to judge it is
// the collector's.
func (w *window) line(line string) {
	name, rest, _ := strings.Cut(line, ":")
	fields := strings.Split(rest, "|")
	if len(fields) < 2 || strings.Contains(line, "|T") {
		w.others = append(w.others, line)
		return
	}
	value, err := strconv.ParseFloat(fields[0], 64)
	rate, kept := 1.0, []string(nil)
	for _, f := range fields[2:] {
		if text, is := strings.CutPrefix(f, "@"); is {
			if r, bad := strconv.ParseFloat(text, 64); bad == nil && r > 0 && r <= 1 {
				rate = r
				continue
			}
		}
		kept = append(kept, f)
	}
	of := series{name, strings.Join(kept, "|")}
	signed := fields[0] != "" && strings.ContainsRune("+-", rune(fields[0][0]))
	switch {
	case err == nil && fields[1] == "g" && signed && w.gauges.has(of):
		*w.gauges.place(of) += value
	case err != nil || fields[1] == "g" && signed: // a change of a gauge that only the collector knows
		w.others = append(w.others, line)
	case fields[1] == "c":
		*w.counts.place(of) += value / rate
	case fields[1] == "g":
		*w.gauges.place(of) = value
	default:
		w.others = append(w.others, line)
	}
}

// send sends all of it on, in datagrams of whole lines, and begins anew. As all of StatsD, what cannot be sent is lost.
func (w *window) send(to net.Conn) {
	var datagram []byte
	emit := func(line string) {
		if len(datagram)+1+len(line) > largest && len(datagram) > 0 {
			_, _ = to.Write(datagram)
			datagram = datagram[:0]
		}
		if len(datagram) > 0 {
			datagram = append(datagram, '\n')
		}
		datagram = append(datagram, line...)
	}
	for _, line := range w.others {
		emit(line)
	}
	w.gauges.lines("g", emit)
	w.counts.lines("c", emit)
	if len(datagram) > 0 {
		_, _ = to.Write(datagram)
	}
	*w = window{}
}

func (t *totals) lines(kind string, emit func(string)) {
	for i, s := range t.order {
		line := s.name + ":" + strconv.FormatFloat(t.value[i], 'f', -1, 64) + "|" + kind
		if s.rest != "" {
			line += "|" + s.rest
		}
		emit(line)
	}
}
