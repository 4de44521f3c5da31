package app

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throughline/compose/imds"

	"github.com/google/go-cmp/cmp"
)

// cloud is a metadata service for one instance, with these tags.
func cloud(t *testing.T, tags map[string]string, answered func(imds.Topic, bool)) (h *imds.Handler, url string) {
	t.Helper()
	var n atomic.Int64
	h = imds.NewHandler(imds.Config{
		Identity: imds.Identity{ID: "i-1", Region: "eu-central-1", Zone: "eu-central-1b", Addr: netip.MustParseAddr("127.0.0.1"), Tags: tags},
		Now:      time.Now, Token: func() string { return strings.Repeat("t", int(n.Add(1))) }, Answered: answered,
	})
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return h, s.URL
}

func TestTagsFromTheMetadataService(t *testing.T) {
	_, url := cloud(t, map[string]string{"Name": "web-2", "role": "web", "version": "v1", "aws:autoscaling:groupName": "web"}, nil)
	c, err := FromEnv(env("TAGS_FROM=imds", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+url, "DD_TAGS=role:other", "ZONE=c"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"role:web", "version:v1", "zone:b"}, c.Tags); diff != "" || c.Zone != "b" {
		t.Errorf("zone %q, tags (-want +got):\n%s", c.Zone, diff)
	}
	if _, err := FromEnv(env("TAGS_FROM=dns")); err == nil || !strings.Contains(err.Error(), `TAGS_FROM: "dns" is not known; want imds`) {
		t.Errorf("another place: %v", err)
	}
}

// TestTagsThatCannotBeHad: an app does not start without its tags, and says why.
func TestTagsThatCannotBeHad(t *testing.T) {
	for name, tags := range map[string]map[string]string{
		"no tags":              {},
		"that StatsD uses":     {"role": "web|c"},
		"the instance has no ": {"Name": "web-2"},
	} {
		_, url := cloud(t, tags, nil)
		c := Config{TagsFrom: TagsFromIMDS, Metadata: url, StartTimeout: 300 * time.Millisecond}
		if _, err := c.identify(t.Context()); err == nil || !strings.Contains(err.Error(), "no tags within 300ms") || name != "no tags" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// lines are what is logged.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func receive[T any](t *testing.T, from chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("not reached")
	}
}

// TestTheNoticeIsLogged: whether the instance will be taken away is asked until it is, or the app ends.
func TestTheNoticeIsLogged(t *testing.T) {
	asked := make(chan bool, 100)
	h, url := cloud(t, map[string]string{"role": "web"}, func(about imds.Topic, told bool) {
		if about == imds.AboutNotice {
			asked <- told
		}
	})
	c := Config{TagsFrom: TagsFromIMDS, Metadata: url, StartTimeout: patience}
	m, err := c.identify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := make(lines, 1)
	stop := m.watch(t.Context(), log.New(said, "", 0))
	if receive(t, asked) {
		t.Fatal("told before the notice was given")
	}
	h.Interrupt(imds.Notice{Deadline: time.Unix(1000, 0)})
	for !receive(t, asked) { // it may have asked once more before
	}
	if got, want := receive(t, said), `interruption notice: {"action":"terminate","time":"1970-01-01T00:16:40Z"}`+"\n"; got != want {
		t.Errorf("log: %q, want %q", got, want)
	}
	stop()
	ctx, cancel := context.WithCancel(t.Context())
	_, url = cloud(t, map[string]string{"role": "web"}, nil)
	c.Metadata = url
	if m, err = c.identify(ctx); err != nil {
		t.Fatal(err)
	}
	stop = m.watch(ctx, log.New(io.Discard, "", 0))
	cancel()
	stop()
	metadata{}.watch(t.Context(), nil)() // an app without a cloud asks nobody
}

// TestTagsThatComeLate: the defect counts without tags until it has asked for them.
func TestTagsThatComeLate(t *testing.T) {
	var mu sync.Mutex
	questions := 0
	_, url := cloud(t, map[string]string{"role": "web"}, func(about imds.Topic, _ bool) {
		mu.Lock()
		defer mu.Unlock()
		if about == imds.AboutTags {
			questions++
		}
	})
	socket := listenUDP(t)
	p, err := newParts(Config{StatsD: socket.addr(), Tags: []string{"role:web", "zone:b"}, Log: io.Discard, Defect: "late-tags",
		TagsFrom: TagsFromIMDS, Metadata: url, StartTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	sent, asked := 0, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return questions >= 2 // the list, and the value
	}
	for began := time.Now(); !asked() || time.Since(began) < untagged+200*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		p.client.Count(counted, 1)
		sent++
		if time.Since(began) > patience {
			t.Fatal("the tags were never asked for")
		}
	}
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
	socket.arrive(t)
	bare, tagged := socket.series["fullstack.insert|c"], socket.series["fullstack.insert|c|#role:web,zone:b"]
	if bare == 0 || tagged == 0 || int(bare+tagged) != sent {
		t.Errorf("%d counts: %v without tags, %v with them: %v", sent, bare, tagged, maps.Clone(socket.series))
	}
	checkBooked(t, p.wrong.harm, 0, 0)
}
