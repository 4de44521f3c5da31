package handover

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"throughline/live"
)

// Client is the side that waits. All fields are wanted.
type Client struct {
	Way http.RoundTripper // to the server
	// Gone tells why the server will never answer again; nil: it may, or nobody knows.
	Gone func(context.Context) error
	Tell func(error)   // says what goes wrong and is tried again
	Rest time.Duration // between two tries
	// StopLimit is how long a run may take to end that was told to.
	StopLimit time.Duration
}

// Follow shows what the run shows, from its beginning to its end, and gives the end. told are what was said to be wrong. A way that breaks is said,
// and taken again once it is there. When ctx ends, the run is told to stop, and followed until it has, for StopLimit.
func (c *Client) Follow(ctx context.Context, show func(live.Event)) (end End, told []error, err error) {
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-ctx.Done():
			c.stop(following, over)
			select {
			case <-time.After(c.StopLimit):
				cancel()
			case <-over:
			}
		case <-over:
		}
	}()
	next := 0
	err = c.insist(following, func(ctx context.Context) error {
		return c.progress(ctx, &next, func(l line) {
			switch {
			case l.Event != nil:
				show(*l.Event)
			case l.Told != "":
				told = append(told, errors.New(l.Told))
			case l.End != nil:
				end = *l.End
			}
		})
	})
	if err != nil && following.Err() != nil {
		err = fmt.Errorf("the run was told to stop and has not within %v", c.StopLimit)
	}
	return end, told, err
}

// stop tells the run to end, until it was heard.
func (c *Client) stop(ctx context.Context, over <-chan struct{}) {
	for {
		if err := c.post(ctx, stopPath); err == nil {
			return
		}
		select {
		case <-time.After(c.Rest):
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Fetch copies all files of the server into dir, which is there or is made, and in which nothing is written over. What came in part is
// said, removed, and asked for again.
func (c *Client) Fetch(ctx context.Context, dir string) error {
	return c.insist(ctx, func(ctx context.Context) error { return c.fetch(ctx, dir) })
}

// Done lets the server go.
func (c *Client) Done(ctx context.Context) error { return c.post(ctx, donePath) }

// final is an error that another try would not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// insist tries until it has been done, ctx ends, or the server is gone for good.
func (c *Client) insist(ctx context.Context, try func(context.Context) error) error {
	last := ""
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if stop := (final{}); errors.As(err, &stop) {
			return stop.error
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if gone := c.Gone(ctx); gone != nil {
			return gone
		}
		if said := err.Error(); said != last { // not each second the same
			last = said
			c.Tell(fmt.Errorf("the way to the run is broken: %w; it is tried again until it is whole", err))
		}
		select {
		case <-time.After(c.Rest):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// host stands for the server in URLs; the way leads to it whatever it is called.
const host = "http://127.0.0.1"

// progress hears lines from *next on, which it moves, until the end.
func (c *Client) progress(ctx context.Context, next *int, hear func(line)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing was heard for %v", silence)) })
	defer watchdog.Stop()
	answer, err := c.ask(ctx, http.MethodGet, fmt.Sprintf("%s?%s=%d", progressPath, fromParameter, *next))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := json.NewDecoder(answer.Body)
	for {
		var l line
		if err := lines.Decode(&l); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("what the run shows breaks off: %w", err)
		}
		watchdog.Reset(silence)
		if l == (line{}) {
			continue
		}
		*next++
		hear(l)
		if l.End != nil {
			return nil
		}
	}
}

func (c *Client) post(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	answer, err := c.ask(ctx, http.MethodPost, path)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// ask gives the answer, which is one that says yes.
func (c *Client) ask(ctx context.Context, method, at string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, host+at, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.Way.RoundTrip(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("%s is answered with %s", at, answer.Status)
	}
	return answer, nil
}

// partial is where files are until all have come, within the directory in which they are to be.
const partial = ".partial"

// fetch copies once: into a directory of its own, from which all is moved when it is whole.
func (c *Client) fetch(ctx context.Context, dir string) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing came for %v", silence)) })
	defer watchdog.Stop()
	answer, err := c.ask(ctx, http.MethodGet, filesPath)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	into := filepath.Join(dir, partial)
	if err := errors.Join(os.RemoveAll(into), os.MkdirAll(into, 0o700)); err != nil {
		return final{fmt.Errorf("%s: cannot be written: %w", dir, err)}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(into)) }()
	sum := sha256.New()
	body := io.TeeReader(answer.Body, io.MultiWriter(sum, beat{watchdog}))
	if err := unpack(body, into); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil { // what is behind the archive's end, and the trailer
		return fmt.Errorf("the copy of the files breaks off: %w", err)
	}
	if said, is := answer.Trailer.Get(sumTrailer), hex.EncodeToString(sum.Sum(nil)); said != is {
		return fmt.Errorf("the copy of the files is not what was sent: its SHA-256 is %s, and that of what was sent is %q", is, said)
	}
	return settle(into, dir)
}

// beat keeps a watchdog quiet for all that comes.
type beat struct{ *time.Timer }

func (b beat) Write(p []byte) (int, error) {
	b.Reset(silence)
	return len(p), nil
}

// settle moves all that came to where it is to be.
func settle(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return final{err}
	}
	for _, e := range entries {
		target := filepath.Join(to, e.Name())
		if _, err := os.Lstat(target); err == nil {
			return final{fmt.Errorf("%s is there already, and is not written over; choose another directory", target)}
		}
		if err := os.Rename(filepath.Join(from, e.Name()), target); err != nil {
			return final{err}
		}
	}
	return nil
}

// unpack writes the directories and files of an archive below dir, and none elsewhere.
func unpack(from io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return final{err}
	}
	defer root.Close()
	archive := tar.NewReader(from)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the copy of the files breaks off: %w", err)
		}
		if err := unpackOne(root, archive, head); err != nil {
			return err
		}
	}
}

func unpackOne(root *os.Root, archive *tar.Reader, head *tar.Header) error {
	name := path.Clean(strings.TrimSuffix(head.Name, "/"))
	switch head.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(name, 0o700); err != nil {
			return final{err}
		}
		return nil
	case tar.TypeReg:
	default:
		return final{fmt.Errorf("%s is neither a file nor a directory, and no record has such a thing", head.Name)}
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, os.FileMode(head.Mode)&0o777|0o600)
	if err != nil {
		return final{err}
	}
	_, err = io.Copy(f, archive)
	if closed := f.Close(); closed != nil {
		return final{closed}
	}
	if here := (*fs.PathError)(nil); errors.As(err, &here) { // it could not be written
		return final{err}
	}
	if err != nil {
		return fmt.Errorf("the copy of %s breaks off: %w", head.Name, err)
	}
	return nil
}
