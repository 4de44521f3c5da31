package app

import (
	"context"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

func newContext(t *testing.T) (*gin.Context, *httptest.ResponseRecorder) {
	t.Helper()
	response := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(response)
	return c, response
}

// nobody is an address where no database listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "mongodb://" + l.Addr().String()
}

func TestRunRefusesWhatCannotWork(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		err    string // how it begins
	}{
		{"no database", func(c *Config) { c.MongoURI = "" }, "MONGODB_URI: not set; "},
		{"bad database", func(c *Config) { c.MongoURI = "postgres://db" }, "MONGODB_URI: "},
		{"database down", func(c *Config) {}, "database: not ready within 300ms; is it running where MONGODB_URI says? "},
		{"unacknowledged", func(c *Config) { c.MongoURI += "/?w=0" }, "MONGODB_URI: w=0 "},
		{"no StatsD", func(c *Config) { c.StatsD = "" }, "statsd: no address; "},
		{"bad StatsD", func(c *Config) { c.StatsD = "127.0.0.1:x" }, "statsd 127.0.0.1:x: "},
		{"unknown defect", func(c *Config) { c.Defect = "slow" },
			"defect slow: no such defect (have lost-on-exit, long-buffer, "},
		{"nothing to rename by", func(c *Config) { c.Defect = "renamed-per-instance" }, "defect renamed-per-instance: INSTANCE is not set"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := Config{StatsD: listenUDP(t).addr(), MongoURI: nobody(t), Log: io.Discard, StartTimeout: 300 * time.Millisecond}
			test.change(&c)
			if err := Run(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("got %v, want %s…", err, test.err)
			}
		})
	}
}

func TestStopWhileWaitingForTheDatabase(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	c := Config{StatsD: listenUDP(t).addr(), MongoURI: nobody(t), Log: io.Discard, StartTimeout: time.Hour}
	go func() { ended <- Run(ctx, c) }()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v, want a clean end", err)
		}
	case <-time.After(patience):
		t.Fatal("did not stop")
	}
}
