package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// logFile is what a pod wrote, as the kubelet hands it on: a file that grows, as that of a process does. It is followed from the begin, since a
// kubelet keeps the last of much only.
type logFile struct {
	path            string
	client          kubernetes.Interface
	namespace, name string
	followed        chan struct{} // closed when following has ended

	mu   sync.Mutex
	last time.Time // of the last line in the file, as the kubelet has it
}

func newLogFile(path string, c kubernetes.Interface, namespace, name string) *logFile {
	return &logFile{path: path, client: c, namespace: namespace, name: name, followed: make(chan struct{})}
}

const (
	followAgain = 100 * time.Millisecond // after a stream that failed: the kubelet may not know yet that the container runs
	followGrace = 2 * time.Second        // for the stream to end with the container
)

// follow adds to the file what the pod writes, until that has ended.
func (l *logFile) follow(living context.Context) {
	defer close(l.followed)
	for {
		if err := l.read(living, true); err == nil {
			return
		}
		select {
		case <-time.After(followAgain):
		case <-living.Done():
			return
		}
	}
}

// read adds to the file what is not in it yet.
func (l *logFile) read(ctx context.Context, follow bool) error {
	options := &core.PodLogOptions{Container: instanceContainer, Timestamps: true, Follow: follow}
	l.mu.Lock()
	if !l.last.IsZero() {
		options.SinceTime = &meta.Time{Time: l.last} // to the second: what is there already is passed over
	}
	l.mu.Unlock()
	stream, err := l.client.CoreV1().Pods(l.namespace).GetLogs(l.name, options).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadString('\n')
		if kept := l.take(line); kept != nil {
			return kept
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take adds a line: its time, a space, and what was written.
func (l *logFile) take(line string) (err error) {
	stamp, text, ok := strings.Cut(line, " ")
	if !ok {
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return fmt.Errorf("the kubelet's log has no time before %q", line)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !at.After(l.last) {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	l.last = at
	_, err = f.WriteString(text)
	return err
}

// finish has all that a pod wrote which has ended. With one that is being deleted the kubelet deletes its log: what was followed to the
// end is all there is.
func (l *logFile) finish(ctx context.Context, deleted bool) error {
	select {
	case <-l.followed:
		if deleted {
			return nil
		}
	case <-time.After(followGrace):
	}
	if err := l.read(ctx, false); err != nil {
		return fmt.Errorf("its log: %w", err)
	}
	return nil
}

// Logs gives what both streams hold so far, from a file in the run directory. It can be sought in.
func (i *instance) Logs(ctx context.Context) (io.ReadCloser, error) {
	select {
	case <-i.gone:
		select {
		case <-i.settled:
		case <-ctx.Done():
			return nil, fmt.Errorf("logs of %s: %w", i.name, context.Cause(ctx))
		}
	default:
		_ = i.log.read(ctx, false) // what is followed comes anyway, a little later
	}
	f, err := os.Open(i.log.path)
	if errors.Is(err, os.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, fmt.Errorf("logs of %s: %w", i.name, err)
	}
	return f, nil
}
