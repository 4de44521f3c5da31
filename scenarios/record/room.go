package record

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"
)

// makeRoom makes room for what a file of the record holds, before it is read. A large record
// is little else than rows: slices that grow as they come would take half as much again, and
// leave what they grew out of to be collected.
func (h *History) makeRoom(name string, f *os.File) error {
	is, err := f.Stat()
	if err != nil {
		return err
	}
	// The journal says how many there are, and the size of the file how many there may be.
	room := func(tally int64, header string) int {
		fields := int64(bytes.Count([]byte(header), []byte{','}) + 1) // one byte each, at least: a comma or the line's end
		return int(max(0, min(tally, is.Size()/fields)))
	}
	switch tally := h.tally(); {
	case name == PointsFile:
		return h.roomForPoints(f)
	case name == UsersFile && tally.Requests > 0:
		h.Requests = make([]Request, 0, room(tally.Requests, usersHeader))
	case name == ExecutionsFile && tally.Executions > 0:
		h.Executions = make([]Execution, 0, room(tally.Executions, executionsHeader))
	}
	return nil
}

// tally is what the runner wrote, by the journal; zero where its end is missing.
func (h *History) tally() Tally {
	for i := len(h.Events) - 1; i >= 0; i-- {
		if t := h.Events[i].Tally; t != nil {
			return *t
		}
	}
	return Tally{}
}

// roomForPoints gives each series the room that its points will need, and goes back to the
// beginning of their file. Rows that make no sense are readPoints' to complain about.
func (h *History) roomForPoints(f io.ReadSeeker) error {
	counts := make([]int, len(h.Series))
	total := 0
	in := bufio.NewReaderSize(f, 256<<10)
	for begins := true; ; {
		line, err := in.ReadSlice('\n')
		if digits, _, ok := bytes.Cut(line, []byte{','}); begins && ok {
			if n, err := strconv.Atoi(string(digits)); err == nil && n >= 0 && n < len(counts) {
				counts[n]++
				total++
			}
		}
		begins = err == nil
		if err == io.EOF {
			break
		} else if err != nil && err != bufio.ErrBufferFull {
			return err
		}
	}
	all := make([]Point, total)
	for i, n := range counts {
		h.Series[i].Points, all = all[:0:n], all[n:]
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}
