package handover

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"throughline/live"
)

// sendLimit is for a piece of an answer to be taken by whoever asked.
const sendLimit = 30 * time.Second

// Server keeps what a run tells, and hands it over. It is an http.Handler that trusts whoever reaches it, so that it listens on
// loopback. Its methods may be called by several goroutines at once. Make one with NewServer.
type Server struct {
	dir  string
	stop func()
	mux  *http.ServeMux

	mu      sync.Mutex
	lines   []line
	changed chan struct{} // closed, and another one made, when there is another line
	asking  int           // requests that are being answered
	heard   time.Time     // when the last one was over
	taken   chan struct{} // closed when the other side has all that it wants
	once    sync.Once
}

// NewServer makes one. Files are those below dir; stop is called for each time that the other side wants the run to end.
func NewServer(dir string, stop func()) *Server {
	s := &Server{dir: dir, stop: stop, mux: http.NewServeMux(), changed: make(chan struct{}), taken: make(chan struct{})}
	s.mux.HandleFunc("GET "+progressPath, s.progress)
	s.mux.HandleFunc("GET "+filesPath, s.files)
	s.mux.HandleFunc("POST "+stopPath, func(http.ResponseWriter, *http.Request) { s.stop() })
	s.mux.HandleFunc("POST "+donePath, func(http.ResponseWriter, *http.Request) { s.once.Do(func() { close(s.taken) }) })
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.note(1)
	defer s.note(-1)
	s.mux.ServeHTTP(w, r)
}

func (s *Server) note(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking += more
	s.heard = time.Now()
}

// Watch keeps what a stream shows from now on. What it returns waits for the stream's end.
func (s *Server) Watch(stream *live.Stream) (kept func()) {
	viewer, done := stream.Watch(1<<16), make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, _, err := viewer.Next(context.Background())
			if err != nil {
				return
			}
			s.add(line{Event: &e})
		}
	}()
	return func() { <-done }
}

// Tell keeps what is wrong beside the run.
func (s *Server) Tell(err error) { s.add(line{Told: err.Error()}) }

// End says that the run has ended: nothing more is told, and all files are written.
func (s *Server) End(status int) { s.add(line{End: &End{Status: status}}) }

func (s *Server) add(l line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, l)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Taken is closed when the other side has all that it wants.
func (s *Server) Taken() <-chan struct{} { return s.taken }

// Quiet is for how long nobody has asked for anything; 0 while somebody does. From the beginning it counts from since.
func (s *Server) Quiet(since, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking > 0 {
		return 0
	}
	if s.heard.After(since) {
		since = s.heard
	}
	return now.Sub(since)
}

// after gives the lines from a number on, and what tells of more.
func (s *Server) after(n int) ([]line, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > len(s.lines) {
		n = len(s.lines)
	}
	return s.lines[n:], s.changed
}

// progress answers with a line of JSON for each thing that is shown, from the one on that is asked for, until the end.
func (s *Server) progress(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get(fromParameter))
	if err != nil || n < 0 {
		http.Error(w, fmt.Sprintf("?%s=%s: want the number of the first entry, 0 or more", fromParameter, r.URL.Query().Get(fromParameter)), http.StatusBadRequest)
		return
	}
	to, control := json.NewEncoder(w), http.NewResponseController(w)
	send := func(l line) bool {
		_ = control.SetWriteDeadline(time.Now().Add(sendLimit)) // not of every connection, and then it shows when it breaks
		return to.Encode(l) == nil && control.Flush() == nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		lines, changed := s.after(n)
		for _, l := range lines {
			if !send(l) || l.End != nil {
				return
			}
		}
		n += len(lines)
		select {
		case <-changed:
		case <-beat.C:
			if !send(line{}) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// files answers with an archive of all files, and its SHA-256 behind it.
func (s *Server) files(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Trailer", sumTrailer)
	w.Header().Set("Content-Type", "application/x-tar")
	sum, control := sha256.New(), http.NewResponseController(w)
	to := io.MultiWriter(w, sum, deadline{control})
	if err := pack(to, s.dir); err != nil {
		panic(http.ErrAbortHandler) // the answer has begun: that it breaks off says that it is not whole
	}
	w.Header().Set(sumTrailer, hex.EncodeToString(sum.Sum(nil)))
}

// deadline gives each piece of an answer its time.
type deadline struct{ control *http.ResponseController }

func (d deadline) Write(p []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(sendLimit)) // as in progress
	return len(p), nil
}

// pack writes what is below dir as a tar archive: directories and files, which is all that a record has.
func pack(to io.Writer, dir string) error {
	archive := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return packOne(archive, filepath.ToSlash(name), path, entry)
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func packOne(archive *tar.Writer, name, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if entry.IsDir() {
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700, ModTime: info.ModTime()})
	}
	if !info.Mode().IsRegular() {
		return nil // a socket of what has run there
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.CopyN(archive, f, info.Size())
	return err
}
