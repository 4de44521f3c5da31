package record

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Read loads a run directory. A record that is cut short (its runner was
// killed), that was altered after the run, or that has no seal is read as far as
// it goes and says so in Damage, each entry beginning with the file; a directory
// that is no record is an error.
func Read(dir string) (History, error) {
	var h History
	if _, err := os.Stat(filepath.Join(dir, JournalFile)); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return History{}, fmt.Errorf("%s: no record of a run (it has no %s); give the directory that `throughline run` printed", dir, JournalFile)
	}
	seal, err := h.readJournal(filepath.Join(dir, JournalFile))
	if err != nil {
		return History{}, err
	}
	for _, name := range parts {
		if err := h.readPart(dir, name, seal); err != nil {
			h.Damage = append(h.Damage, fmt.Sprintf("%s: %v", name, err))
		}
	}
	// Rows are written as their outcomes become known.
	slices.SortStableFunc(h.Requests, func(a, b Request) int { return cmp.Compare(a.Seq, b.Seq) })
	slices.SortStableFunc(h.Executions, func(a, b Execution) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(h.Beacons, func(a, b Beacon) int { return cmp.Compare(a.Seq, b.Seq) })
	slices.SortStableFunc(h.Arrivals, func(a, b Arrival) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(h.Passages, func(a, b Passage) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(h.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for i := range h.Series {
		slices.SortStableFunc(h.Series[i].Points, func(a, b Point) int { return cmp.Compare(a.At, b.At) })
	}
	return h, nil
}

// optional are the files that not every record has: there was no database, the run ended before, no httpd had a
// request, no page told anything.
var optional = []string{BeforeFile, AfterFile, PassagesFile, BeaconsFile, ArrivalsFile}

// errAltered is the damage of a file that is not as the run wrote it.
var errAltered = errors.New("it is not as the run wrote it (its SHA-256 is not that of the seal)")

// readPart reads a file of the record and compares it with the seal; nil: there
// is none.
func (h *History) readPart(dir, name string, seal *seal) error {
	want, listed := "", false
	if seal != nil {
		want, listed = seal.SHA256[name]
	}
	f, err := os.Open(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && listed:
		return errors.New("it is missing, and the run wrote it")
	case errors.Is(err, fs.ErrNotExist) && slices.Contains(optional, name):
		return nil
	case err != nil:
		return fmt.Errorf("cannot be read: %w", systemError(err))
	}
	defer f.Close()
	whose, err := h.makeRoom(name, f)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", systemError(err))
	}
	sum := newSum()
	tee := io.TeeReader(f, sum)
	err = h.parser(name, whose)(bufio.NewReaderSize(tee, 256<<10))
	if _, rest := io.Copy(io.Discard, tee); rest != nil {
		return errors.Join(err, rest)
	}
	if seal == nil {
		return err
	}
	if !listed {
		return errors.New("the run did not write it: the seal does not know it")
	}
	if hexDigits(sum) != want {
		if err != nil {
			return fmt.Errorf("%w: %w", errAltered, err)
		}
		return errAltered
	}
	return err
}

// parser gives what reads a file of the record; whose are the points of its series.
func (h *History) parser(name string, whose sharing) func(io.Reader) error {
	switch name {
	case ScenarioFile:
		return func(r io.Reader) (err error) {
			h.Scenario, err = io.ReadAll(r)
			return err
		}
	case UsersFile:
		return h.readUsers
	case ExecutionsFile:
		return h.readExecutions
	case PassagesFile:
		return h.readPassages
	case BeaconsFile:
		return h.readBeacons
	case ArrivalsFile:
		return h.readArrivals
	case SeriesFile:
		return h.readSeries
	case PointsFile:
		return func(r io.Reader) error { return h.readPoints(r, whose) }
	case BeforeFile:
		return documentsInto(&h.Before)
	}
	return documentsInto(&h.After)
}

// systemError is what the system said of a file, without the path and the call.
func systemError(err error) error {
	if on := (*fs.PathError)(nil); errors.As(err, &on) {
		return on.Err
	}
	return err
}
