package forward

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// carbon is a real carbon-cache.
type carbon struct {
	t         *testing.T
	addr, dir string
	stop      func(os.Signal)
}

// newCarbon writes the configuration of a carbon that keeps each second.
func newCarbon(t *testing.T) *carbon {
	t.Helper()
	program(t, "carbon-cache", "apt-get install graphite-carbon")
	c := &carbon{t: t, addr: free(t), dir: t.TempDir()}
	_, port, _ := net.SplitHostPort(c.addr)
	_, query, _ := net.SplitHostPort(free(t))
	c.write("carbon.conf", `[cache]
STORAGE_DIR = `+c.dir+`
LOCAL_DATA_DIR = `+c.dir+`/whisper/
CONF_DIR = `+c.dir+`
LOG_DIR = `+c.dir+`
PID_DIR = `+c.dir+`
USER =
DATABASE = whisper
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = inf
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND_ON_SHUTDOWN = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = `+port+`
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = 0
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = `+query+`
ENABLE_UDP_LISTENER = False
ENABLE_TAGS = False
TAG_HASH_FILENAMES = False
CARBON_METRIC_INTERVAL = 0
WHISPER_AUTOFLUSH = True
`)
	c.write("storage-schemas.conf", "[all]\npattern = .*\nretentions = 1s:1h\n")
	return c
}

func (c *carbon) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *carbon) start() {
	c.t.Helper()
	c.stop = process(c.t, "carbon-cache", "--nodaemon", "--config="+filepath.Join(c.dir, "carbon.conf"),
		"--pidfile="+filepath.Join(c.dir, "pid"), "--logfile=-", "start")
	until(c.t, "carbon listens", func() bool {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// whisperDump tells all points of all files below a directory, as path, value
// and time, sorted. Whisper's own code reads them.
const whisperDump = `
import os, sys, whisper
for top, _, files in sorted(os.walk(sys.argv[1])):
    for f in sorted(files):
        if f.endswith('.wsp'):
            path = os.path.join(top, f)
            try:
                (begin, end, step), values = whisper.fetch(path, int(sys.argv[2]), int(sys.argv[3]))
            except whisper.CorruptWhisperFile: # carbon is just writing it
                continue
            name = os.path.relpath(path, sys.argv[1])[:-4]
            for i, v in enumerate(values):
                if v is not None:
                    print(name, repr(v), begin + i*step - int(sys.argv[2]))
`

// points are all that carbon has of a minute, by the name of its file: "value@second".
func (c *carbon) points(from time.Time) map[string]string {
	c.t.Helper()
	cmd := exec.Command("/usr/bin/python3", "-c", whisperDump, filepath.Join(c.dir, "whisper"), fmt.Sprint(from.Unix()-1), fmt.Sprint(from.Unix()+60))
	cmd.Env = append(os.Environ(), "PYTHONIOENCODING=utf-8")
	out, err := cmd.Output()
	if err != nil {
		if failed, ok := err.(*exec.ExitError); ok {
			c.t.Logf("%s", failed.Stderr)
		}
		c.t.Fatalf("read whisper: %v", err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		var second int
		fmt.Sscan(f[2], &second)
		name := f[0]
		if strings.HasPrefix(name, "_tagged/") {
			name = strings.SplitN(name, "/", 4)[3] // after two pieces of a hash
		}
		found[name] = strings.TrimSpace(fmt.Sprintf("%s %s@%d", found[name], f[1], second-1))
	}
	return found
}

// count is the number of points.
func count(points map[string]string) (n int) {
	for _, p := range points {
		n += len(strings.Fields(p))
	}
	return n
}
