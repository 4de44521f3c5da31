package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The files of a run directory.
const (
	ScenarioFile = "scenario.yaml" // as it was run
	JournalFile  = "journal.jsonl" // one Event a line
	UsersFile    = "users.csv"     // one Request a line, see usersHeader
	SeriesFile   = "series.jsonl"  // number, name, labels and meaning of each series
	PointsFile   = "points.csv"    // one Point a line, see pointsHeader
	BeforeFile   = "documents-before.json"
	AfterFile    = "documents-after.json"
	// ExecutionsFile has one Execution a line, see executionsHeader.
	ExecutionsFile = "executions.csv"
	// PassagesFile has one Passage a line, see passagesHeader. It is there where an httpd had a request.
	PassagesFile = "passages.csv"
	// BeaconsFile has one Beacon a line, and ArrivalsFile one Arrival; see their headers. Each is there where there was one.
	BeaconsFile  = "beacons.csv"
	ArrivalsFile = "arrivals.csv"
)

// Times are whole microseconds since the start of the run in the CSV files:
// finer than any clock that is compared here, and short.
const (
	usersHeader  = "seq,due_us,sent_us,done_us,route,word,instance,outcome,status,attempts,error\n"
	pointsHeader = "series,at_us,value,observed,stale,histogram\n"
	// seq is empty for a foreign request, and request_id for one of the run.
	executionsHeader = "at_us,seq,request_id,server,status,answered,retries,redispatched,termination\n"
	// seq and request_id are as there.
	passagesHeader = "at_us,seq,request_id,instance,status,answered,took_us,first_us\n"
	beaconsHeader  = "seq,route,again,latency_us,sent_us,done_us,outcome,status,attempts,error\n"
	// page_id is empty for a page of the run, and seq for another.
	arrivalsHeader = "at_us,seq,page_id,route,latency_us,form\n"
)

// Writer writes a run directory while the run goes on. Its methods may be
// called by several goroutines at once. A failed write is kept and returned by
// every later call and by Close, so that no caller can miss it.
type Writer struct {
	dir   string
	start time.Time

	mu         sync.Mutex
	journal    *file
	users      *file
	executions *file
	passages   *file // nil before the first, as the next two
	beacons    *file
	arrivals   *file
	series     *file
	points     *file
	known      map[string]int // series key → number
	tally      Tally
	sums       map[string]string // of the files that are written at once, by name
	hidden     *strings.Replacer // nil: nothing is
	sealed     bool
	observer   Observer // nil: nobody
	line       []byte   // scratch
	key        []byte   // scratch
	err        error
}

// file is a buffered file that is flushed by Flush and Close.
type file struct {
	*bufio.Writer
	name string
	f    *os.File
	sum  hash.Hash // of what was flushed
}

func newFile(dir, name string) (*file, error) {
	opened, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return nil, err
	}
	sum := newSum()
	return &file{bufio.NewWriterSize(io.MultiWriter(opened, sum), 64<<10), name, opened, sum}, nil
}

// A record holds what an application said and was told, which may be nobody
// else's business.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Create makes dir, which must not hold a record yet, and writes the first
// lines of the record into it. A directory that it makes, and every file, is for
// their owner alone; one that is there keeps its mode.
func Create(dir string, run Run, scenario []byte) (*Writer, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("%s: cannot make the run directory: %w; choose another with --out", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, JournalFile)); err == nil {
		return nil, fmt.Errorf("%s: holds the record of an earlier run; choose another directory with --out", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w; choose another directory with --out", dir, err)
	}
	w := &Writer{dir: dir, start: run.Start, known: map[string]int{}, sums: map[string]string{}}
	if err := w.whole(ScenarioFile, scenario); err != nil {
		return nil, fmt.Errorf("%s: cannot write the record: %w; choose another directory with --out", dir, err)
	}
	for _, f := range []struct {
		into   **file
		name   string
		header string
	}{{&w.journal, JournalFile, ""}, {&w.users, UsersFile, usersHeader}, {&w.executions, ExecutionsFile, executionsHeader},
		{&w.series, SeriesFile, ""}, {&w.points, PointsFile, pointsHeader}} {
		opened, err := newFile(dir, f.name)
		if err != nil {
			w.closeFiles()
			return nil, fmt.Errorf("%s: cannot write the record: %w; choose another directory with --out", dir, err)
		}
		*f.into = opened
		opened.WriteString(f.header)
	}
	w.Event(Event{Kind: RunBegin, Run: &run})
	return w, w.Flush()
}

// Dir is where the record is written.
func (w *Writer) Dir() string { return w.dir }

// Offset is t on the run's clock.
func (w *Writer) Offset(t time.Time) time.Duration { return t.Sub(w.start) }

// leastSecret is how long a value must be to be hidden in messages: to replace a
// "4" or a "yes" would make them unreadable and hide nothing.
const leastSecret = 8

// Hide replaces values by mask in what errors say from now on: an application's
// last words are among them, and it may have printed what it was told. Values of
// less than 8 characters are left.
func (w *Writer) Hide(mask string, values ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) }) // the longer of two that begin alike
	var pairs []string
	for _, v := range values {
		if len(v) >= leastSecret {
			pairs = append(pairs, v, mask)
		}
	}
	w.hidden = strings.NewReplacer(pairs...)
}

// Event appends to the journal and puts it on disk at once: what a killed
// runner leaves behind should tell how far it came. A RunEnd gets the tally.
func (w *Writer) Event(e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hidden != nil {
		e.Error = w.hidden.Replace(e.Error)
	}
	if e.Kind == RunEnd {
		tally := w.tally
		e.Tally = &tally
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = w.journal.Write(append(line, '\n'))
	}
	if err == nil {
		err = w.journal.Flush()
	}
	if err == nil && w.observer != nil {
		w.observer.Event(e)
	}
	return w.failed(err)
}

// Request appends to the users' ledger.
func (w *Writer) Request(r Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := strconv.AppendUint(w.line[:0], r.Seq, 10)
	for _, t := range [...]time.Duration{r.Due, r.Sent, r.Done} {
		b = strconv.AppendInt(append(b, ','), t.Microseconds(), 10)
	}
	for _, s := range [...]string{r.Route, r.Word, r.Instance, r.Outcome.String()} {
		b = appendField(append(b, ','), s)
	}
	b = strconv.AppendUint(append(b, ','), uint64(r.Status), 10)
	b = strconv.AppendUint(append(b, ','), uint64(r.Attempts), 10)
	b = append(appendField(append(b, ','), r.Err), '\n')
	w.line = b
	w.tally.Requests++
	_, err := w.users.Write(b)
	if err == nil && w.observer != nil {
		w.observer.Request(r)
	}
	return w.failed(err)
}

// Execution appends a line of the load balancer's log.
func (w *Writer) Execution(x Execution) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := append(strconv.AppendInt(w.line[:0], x.At.Microseconds(), 10), ',')
	if !x.Foreign {
		b = strconv.AppendUint(b, x.Seq, 10)
	}
	b = appendField(append(b, ','), x.RequestID)
	b = appendField(append(b, ','), x.Server)
	b = strconv.AppendUint(append(b, ','), uint64(x.Status), 10)
	b = appendFlag(append(b, ','), x.Answered)
	b = strconv.AppendUint(append(b, ','), uint64(x.Retries), 10)
	b = appendFlag(append(b, ','), x.Redispatched)
	b = append(appendField(append(b, ','), x.Termination), '\n')
	w.line = b
	w.tally.Executions++
	_, err := w.executions.Write(b)
	return w.failed(err)
}

// Passage appends a line of an httpd's log. The file begins with the first.
func (w *Writer) Passage(x Passage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(&w.passages, PassagesFile, passagesHeader); err != nil {
		return w.failed(err)
	}
	b := append(strconv.AppendInt(w.line[:0], x.At.Microseconds(), 10), ',')
	if !x.Foreign {
		b = strconv.AppendUint(b, x.Seq, 10)
	}
	b = appendField(append(b, ','), x.RequestID)
	b = appendField(append(b, ','), x.Instance)
	b = strconv.AppendUint(append(b, ','), uint64(x.Status), 10)
	b = appendFlag(append(b, ','), x.Answered)
	b = strconv.AppendInt(append(b, ','), x.Took.Microseconds(), 10)
	b = append(strconv.AppendInt(append(b, ','), x.First.Microseconds(), 10), '\n')
	w.line = b
	w.tally.Passages++
	_, err := w.passages.Write(b)
	return w.failed(err)
}

// Beacon appends to the users' ledger of beacons. The file begins with the first.
func (w *Writer) Beacon(b Beacon) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(&w.beacons, BeaconsFile, beaconsHeader); err != nil {
		return w.failed(err)
	}
	line := append(strconv.AppendUint(w.line[:0], b.Seq, 10), ',')
	line = appendField(line, b.Route)
	line = appendFlag(append(line, ','), b.Again)
	for _, t := range [...]time.Duration{b.Latency, b.Sent, b.Done} {
		line = strconv.AppendInt(append(line, ','), t.Microseconds(), 10)
	}
	line = append(append(line, ','), b.Outcome.String()...)
	line = strconv.AppendUint(append(line, ','), uint64(b.Status), 10)
	line = strconv.AppendUint(append(line, ','), uint64(b.Attempts), 10)
	line = append(appendField(append(line, ','), b.Err), '\n')
	w.line = line
	w.tally.Beacons++
	_, err := w.beacons.Write(line)
	return w.failed(err)
}

// Arrival appends a beacon that the collector took. The file begins with the first.
func (w *Writer) Arrival(a Arrival) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(&w.arrivals, ArrivalsFile, arrivalsHeader); err != nil {
		return w.failed(err)
	}
	line := append(strconv.AppendInt(w.line[:0], a.At.Microseconds(), 10), ',')
	if !a.Foreign {
		line = strconv.AppendUint(line, a.Seq, 10)
	}
	line = appendField(append(line, ','), a.PageID)
	line = appendField(append(line, ','), a.Route)
	line = strconv.AppendInt(append(line, ','), a.Latency.Microseconds(), 10)
	line = append(appendField(append(line, ','), a.Form), '\n')
	w.line = line
	w.tally.Arrivals++
	_, err := w.arrivals.Write(line)
	return w.failed(err)
}

// begin opens a file that not every record has, with its first row. The caller holds mu.
func (w *Writer) begin(f **file, name, header string) error {
	if *f != nil {
		return nil
	}
	opened, err := newFile(w.dir, name)
	if err != nil {
		return err
	}
	*f = opened
	_, err = opened.WriteString(header)
	return err
}

// Scenario records the scenario once more: what was done by hand is known at the end.
func (w *Writer) Scenario(source []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed(w.whole(ScenarioFile, source))
}

// Before records what the database held before the load.
func (w *Writer) Before(d Documents) error { return w.documents(BeforeFile, d) }

// After records what the database held when all had come to rest.
func (w *Writer) After(d Documents) error { return w.documents(AfterFile, d) }

func (w *Writer) documents(name string, d Documents) error {
	b, err := json.Marshal(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		err = w.whole(name, append(b, '\n'))
	}
	return w.failed(err)
}

// whole writes a file at once. The caller holds mu.
func (w *Writer) whole(name string, text []byte) error {
	sum := newSum()
	sum.Write(text)
	w.sums[name] = hexDigits(sum)
	return os.WriteFile(filepath.Join(w.dir, name), text, fileMode)
}

// Flush puts on disk what is buffered.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed(w.flush())
}

// flush writes what is buffered. The caller holds mu.
func (w *Writer) flush() error {
	var err error
	for _, f := range w.files() {
		err = errors.Join(err, f.Flush())
	}
	return err
}

// files are the files in the order in which they are flushed. Series come before
// points: a reader must never meet a point of a series it was not told of.
func (w *Writer) files() []*file {
	all := []*file{w.series, w.points, w.executions, w.users, w.journal}
	for _, f := range []*file{w.passages, w.beacons, w.arrivals} {
		if f != nil {
			all = append(all, f)
		}
	}
	return all
}

// Close flushes the files, seals the record if all of it could be written, and
// closes the files. Nothing may be written afterwards.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.failed(w.flush())
	if err == nil && !w.sealed {
		w.sealed = true
		err = w.failed(w.seal())
	}
	return errors.Join(err, w.closeFiles())
}

// seal writes the journal's last line: the sums of all files.
func (w *Writer) seal() error {
	s := seal{Kind: sealed, SHA256: maps.Clone(w.sums)}
	for _, f := range w.files() {
		s.SHA256[f.name] = hexDigits(f.sum)
	}
	line, err := s.line()
	if err != nil {
		return err
	}
	if _, err := w.journal.Write(line); err != nil {
		return err
	}
	return w.journal.Flush()
}

// closeFiles closes what was opened.
func (w *Writer) closeFiles() (err error) {
	for _, f := range w.files() {
		if f != nil {
			err = errors.Join(err, f.f.Close())
		}
	}
	return err
}

// failed keeps the first error, and names the directory in it.
func (w *Writer) failed(err error) error {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("%s: the record is not whole: %w", w.dir, err)
	}
	return w.err
}

// appendFlag appends 1, or nothing.
func appendFlag(b []byte, set bool) []byte {
	if set {
		b = append(b, '1')
	}
	return b
}

// appendField appends a CSV field as RFC 4180 has it.
func appendField(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(strings.ReplaceAll(s, "\r", " "), `"`, `""`)...)
	return append(b, '"')
}
