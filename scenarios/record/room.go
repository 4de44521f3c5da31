package record

import (
	"bufio"
	"bytes"
	"hash/maphash"
	"io"
	"os"
	"strconv"
)

// makeRoom makes room for what a file of the record holds, before it is read. A large record
// is little else than rows: slices that grow as they come would take half as much again, and
// leave what they grew out of to be collected. of is whose points are whose.
func (h *History) makeRoom(name string, f *os.File) (of sharing, err error) {
	is, err := f.Stat()
	if err != nil {
		return nil, err
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
	return nil, nil
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
//
// Many series are the same but for their names: of what a server or a listener never had, and of
// figures that always grow together. They get one room for all, which readPoints fills once.
func (h *History) roomForPoints(f io.ReadSeeker) (sharing, error) {
	counts := make([]int, len(h.Series))
	prints := make([]fingerprint, len(h.Series))
	seeds := newSeeds()
	in := bufio.NewReaderSize(f, 256<<10)
	for begins := true; ; {
		line, err := in.ReadSlice('\n')
		if digits, rest, ok := bytes.Cut(line, []byte{','}); begins && ok {
			if n, err := strconv.Atoi(string(digits)); err == nil && n >= 0 && n < len(counts) {
				counts[n]++
				prints[n].add(seeds, rest, err == nil)
			}
		}
		begins = err == nil
		if err == io.EOF {
			break
		} else if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
	}
	of := h.share(counts, prints)
	_, err := f.Seek(0, io.SeekStart)
	return of, err
}

// sharing has for each series the number of the one whose points are its own, too.
type sharing []int

// fingerprint is of all rows of a series, but for its number: 128 bits of a keyed hash.
type fingerprint struct {
	sum   [2]uint64
	alone bool // it has a row of which not all was seen
}

// newSeeds are the keys of fingerprints.
func newSeeds() [2]maphash.Seed { return [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()} }

// add adds a row; whole is false of one whose rest is still to come.
func (p *fingerprint) add(seeds [2]maphash.Seed, row []byte, whole bool) {
	const odd = 0x9e3779b97f4a7c15
	for i := range p.sum {
		p.sum[i] = p.sum[i]*odd + maphash.Bytes(seeds[i], row)
	}
	p.alone = p.alone || !whole
}

// share gives series with the same rows one room for their points: that of the first of them.
func (h *History) share(counts []int, prints []fingerprint) sharing {
	type content struct {
		print fingerprint
		n     int
	}
	first := map[content]int{}
	of := make(sharing, len(counts))
	total := 0
	for i, n := range counts {
		of[i] = i
		if c := (content{prints[i], n}); !c.print.alone {
			if k, known := first[c]; known {
				of[i] = k
				continue
			}
			first[c] = i
		}
		total += n
	}
	all := make([]Point, total)
	for i, n := range counts {
		if of[i] == i {
			h.Series[i].Points, all = all[:0:n], all[n:]
		}
	}
	return of
}
