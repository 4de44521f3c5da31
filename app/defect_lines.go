package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
)

// Wrong lines: names, types, rates, tags and datagrams.

const (
	mutateEvery = 20
	unsafeEvery = 25
	typeAfter   = 100
	smallBuffer = 256 // bytes
	untagged    = time.Second
)

func lineDefects() []Defect {
	return []Defect{
		{Name: "rate-not-applied", Entry: "F15", About: "every insert is sent, and with @0.1, as if one in ten were", begin: inLines(rateNotApplied)},
		{Name: "counter-as-gauge", Entry: "F19", About: "the total of inserts is sent as a gauge", begin: inLines(gaugeAfter(0))},
		{Name: "type-changes", Entry: "F33", About: "after 100 inserts the counter becomes a gauge of their total", begin: inLines(gaugeAfter(typeAfter))},
		{Name: "mutated-tags", Entry: "F17", About: "every 20th insert is sent with the tag of another zone", begin: inLines(mutatedTags)},
		{Name: "tag-order", Entry: "F20", About: "inserts have the tag version:1 too: last, first and twice in turn", begin: inLines(tagOrder)},
		{Name: "late-tags", Entry: "F35", About: "inserts are sent without tags for a second, until those are there", begin: inLines(lateTags)},
		{Name: "unsafe-names", Entry: "F21", About: `every 25th insert is counted under a name with a "|", a ":" or a line break in it`,
			begin: inLines(unsafeNames)},
		{Name: "shared-identity", Entry: "F44", About: "every instance tags its lines instance:web-1",
			begin: onOptions(func(c Config, o *statsd.Options) { o.Tags = slices.Concat(c.Tags, []string{"instance:web-1"}) })},
		{Name: "word-as-tag", About: "each insert is tagged with its word: a series for every word", begin: wordAsTag},
		{Name: "cut-datagrams", Entry: "F14", About: "datagrams are cut at 256 bytes, as by a receiver with a small buffer",
			begin: func(_ Config, l *harm) (wrong, error) {
				return wrong{wire: func(w io.WriteCloser) io.WriteCloser { return cutter{w, l} }}, nil
			}},
	}
}

// lineMaker makes the line for the nth insert, from 1, and tells how many the
// counter gets by it. An empty line leaves the insert to the client.
type lineMaker func(nth int64) (line string, counts int64)

func rateNotApplied(c Config) lineMaker {
	line := counted + ":1|c|@0.1" + tagField(c.Tags)
	return func(int64) (string, int64) { return line, 10 }
}

// gaugeAfter counts so many inserts, and then sends the total as a gauge.
func gaugeAfter(inserts int64) func(Config) lineMaker {
	return func(c Config) lineMaker {
		return func(nth int64) (string, int64) {
			if nth <= inserts {
				return "", 1
			}
			return fmt.Sprintf("%s:%d|g%s", counted, nth, tagField(c.Tags)), 0
		}
	}
}

func mutatedTags(c Config) lineMaker {
	line := oneInsert(otherZone(c.Tags))
	return func(nth int64) (string, int64) {
		if nth%mutateEvery != 0 {
			return "", 1
		}
		return line, 1
	}
}

func tagOrder(c Config) lineMaker {
	more := []string{"version:1"}
	turns := [][]string{slices.Concat(c.Tags, more), slices.Concat(more, c.Tags), slices.Concat(more, c.Tags, more)}
	return func(nth int64) (string, int64) { return oneInsert(turns[(nth-1)%3]), 1 }
}

// lateTags is a client that was made before the tags of the instance were known, and is not
// made anew when they are. It asks for them a second after the first insert.
func lateTags(c Config) lineMaker {
	bare := oneInsert(nil)
	var first sync.Once
	var known atomic.Bool
	return func(int64) (string, int64) {
		first.Do(func() {
			time.AfterFunc(untagged, func() {
				ctx, cancel := context.WithTimeout(context.Background(), c.StartTimeout)
				defer cancel()
				_, err := c.identify(ctx)
				known.Store(err == nil)
			})
		})
		if known.Load() {
			return "", 1
		}
		return bare, 1
	}
}

func unsafeNames(c Config) lineMaker {
	marks := [...]string{"|", ":", "\n"}
	return func(nth int64) (string, int64) {
		if nth%unsafeEvery != 0 {
			return "", 1
		}
		return counted + marks[(nth/unsafeEvery-1)%3] + "word:1|c" + tagField(c.Tags), 0
	}
}

// tagField is the last field of a line, empty without tags.
func tagField(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return "|#" + strings.Join(tags, ",")
}

func oneInsert(tags []string) string { return counted + ":1|c" + tagField(tags) }

// otherZone puts another zone in the place of zone:a.
func otherZone(tags []string) []string {
	other := "zone:a"
	if slices.Contains(tags, other) {
		other = "zone:b"
	}
	wrong := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return strings.HasPrefix(tag, "zone:") })
	return append(wrong, other)
}

// beside is a client and a socket of its own for lines that no client makes.
type beside struct {
	statsd.Client
	socket io.WriteCloser
}

func connectBeside(client statsd.Client, addr string) (beside, error) {
	socket, err := statsd.Connect(addr)
	return beside{client, socket}, err
}

// send sends one line in a datagram of its own.
func (b beside) send(line string) {
	_, _ = io.WriteString(b.socket, line+"\n") // lost is lost, as everywhere in StatsD
}

func (b beside) Close() error { return errors.Join(b.socket.Close(), b.Client.Close()) }

// lined sends inserts in lines of their own.
type lined struct {
	beside
	*harm
	line lineMaker

	mu  sync.Mutex // lines leave in their order
	nth int64
}

func inLines(of func(Config) lineMaker) beginning {
	return func(c Config, l *harm) (wrong, error) {
		return wrong{client: func(client statsd.Client) (statsd.Client, error) {
			b, err := connectBeside(client, c.StatsD)
			return &lined{beside: b, harm: l, line: of(c)}, err
		}}, nil
	}
}

func (l *lined) Count(name string, n int64) {
	if name != counted {
		l.Client.Count(name, n)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.nth++
		line, counts := l.line(l.nth)
		if line == "" {
			l.Client.Count(name, 1)
		} else {
			l.send(line)
		}
		l.book(counts, 1)
	}
}

// wordAsTag needs two places: only a route knows the word, and only a client
// is closed in the end.
func wordAsTag(c Config, _ *harm) (wrong, error) {
	var b beside
	return wrong{
		client: func(client statsd.Client) (statsd.Client, error) {
			var err error
			b, err = connectBeside(client, c.StatsD)
			return b, err
		},
		meter: func(m statsd.Middleware) meter { return wordTagged{Middleware: m, beside: b, tags: c.Tags} },
	}, nil
}

type wordTagged struct {
	statsd.Middleware
	beside beside
	tags   []string
}

// unsafeInTag are the characters that end a tag or a line.
var unsafeInTag = strings.NewReplacer(",", "_", "|", "_", "\n", "_", "\r", "_")

func (w wordTagged) Increment(name string) gin.HandlerFunc {
	if name != counted {
		return w.Middleware.Increment(name)
	}
	return func(c *gin.Context) {
		c.Next()
		word, err := parseName(c.Param("name"))
		if c.Writer.Status()/100 != 2 || err != nil {
			return
		}
		tags := append(slices.Clone(w.tags), "word:"+unsafeInTag.Replace(word))
		w.beside.send(oneInsert(tags))
	}
}

// cutter is a socket to a receiver that reads no more than smallBuffer bytes of
// a datagram.
type cutter struct {
	io.WriteCloser
	*harm
}

func (c cutter) Write(datagram []byte) (int, error) {
	if len(datagram) <= smallBuffer {
		return c.WriteCloser.Write(datagram)
	}
	c.book(inserts(datagram[:smallBuffer]), inserts(datagram))
	_, err := c.WriteCloser.Write(datagram[:smallBuffer])
	return len(datagram), err
}

// inserts adds up the counter's lines in a datagram. A line that ends after its
// type is still one.
func inserts(datagram []byte) int64 {
	var sum int64
	for line := range bytes.Lines(datagram) {
		value, isOne := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), counted+":")
		value, fields, _ := strings.Cut(value, "|")
		kind, _, _ := strings.Cut(fields, "|")
		n, err := strconv.ParseInt(value, 10, 64)
		if isOne && kind == "c" && err == nil {
			sum += n
		}
	}
	return sum
}
