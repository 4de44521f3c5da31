package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// readJournal reads the events and gives the seal behind them; nil: there is none
// that holds.
func (h *History) readJournal(path string) (*seal, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w", filepath.Dir(path), err)
	}
	defer f.Close()
	j := journalReader{history: h, sum: newSum()}
	in := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		} else if err != nil && err != io.EOF {
			return nil, fmt.Errorf("%s: cannot be read: %w", filepath.Dir(path), err)
		}
		if j.ended {
			j.fail(n, errors.New("it stands behind the seal, which is the last"))
			break
		}
		j.line(n, line)
	}
	return j.seal, h.begin(path, j.ended, j.wrong)
}

// journalReader takes a journal line by line: events, and the seal.
type journalReader struct {
	history *History
	sum     hash.Hash // of the lines before the seal
	seal    *seal
	ended   bool  // by a seal, whether it holds or not
	wrong   error // the first thing that is wrong; of what stands behind only the seal is read
}

func (j *journalReader) fail(n int, err error) {
	if err != nil && j.wrong == nil {
		j.wrong = fmt.Errorf("line %d: %w", n, err)
	}
}

func (j *journalReader) line(n int, line []byte) {
	if !bytes.HasPrefix(line, sealPrefix) {
		j.sum.Write(line)
		if j.wrong == nil {
			j.fail(n, j.history.readEvent(line))
		}
		return
	}
	j.ended = true
	s, err := parseSeal(line)
	if err != nil {
		j.fail(n, err) // and no file is compared with it
		return
	}
	if s.SHA256[JournalFile] != hexDigits(j.sum) {
		j.fail(n, errAltered)
	}
	j.seal = &s
}

func (h *History) readEvent(line []byte) error {
	var e Event
	if err := decodeStrictly(line, &e); err != nil {
		return err
	}
	if e.Kind == sealed || e.Kind == "" {
		return fmt.Errorf("it is no event")
	}
	h.Events = append(h.Events, e)
	return nil
}

// begin takes the run from the journal's first event. A journal without one is no
// record, unless it was one: that is damage.
func (h *History) begin(path string, sealed bool, wrong error) error {
	damaged := func(format string, args ...any) {
		h.Damage = append(h.Damage, JournalFile+": "+fmt.Sprintf(format, args...))
	}
	if wrong != nil {
		damaged("%v", wrong)
	}
	switch ended := slices.ContainsFunc(h.Events, func(e Event) bool { return e.Kind == RunEnd }); {
	case len(h.Events) > 0 && h.Events[0].Kind == RunBegin && h.Events[0].Run != nil:
		h.Run = *h.Events[0].Run
		if !sealed && ended {
			damaged("it has no seal: it was recorded by a version that did not seal its records, or its end is missing, so nobody knows whether it is as the run wrote it")
		}
	case sealed:
		damaged("it does not begin with a %s entry", RunBegin)
	default:
		return fmt.Errorf("%s: does not begin with a %s entry; it is not the journal of a run", path, RunBegin)
	}
	return nil
}
