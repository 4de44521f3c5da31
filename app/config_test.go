package app

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// env is an environment of KEY=value words.
func env(words ...string) func(string) string {
	all := map[string]string{"MONGODB_URI": "mongodb://db"}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		all[k] = v
	}
	return func(key string) string { return all[key] }
}

func TestFromEnv(t *testing.T) {
	got, err := FromEnv(env("PORT=4001", "HOST=0.0.0.0", "INSTANCE=web-2", "ZONE=a",
		"STATSD_HOST=10.0.0.1", "STATSD_PORT=9125", "DD_TAGS=role:web,zone:a", "DD_AGENT_HOST=unused"))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Host: "0.0.0.0", Port: 4001, Instance: "web-2", Zone: "a", StatsD: "10.0.0.1:9125",
		Tags: []string{"role:web", "zone:a"}, MongoURI: "mongodb://db", Log: os.Stderr, StartTimeout: defaultStart,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(os.File{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got, err = FromEnv(env())
	if err != nil {
		t.Fatal(err)
	}
	if got.Host != "127.0.0.1" || got.Port != 8080 || got.StatsD != "127.0.0.1:8125" || len(got.Tags) != 0 {
		t.Errorf("defaults: %+v", got)
	}
}

func TestWithoutAnInstanceTheHostNameIsIt(t *testing.T) {
	for _, test := range []struct {
		env                 []string
		instance, container string
	}{
		{[]string{"HOSTNAME=4be1f0c2a9d7"}, "4be1f0c2a9d7", "4be1f0c2a9d7"},
		{[]string{"HOSTNAME=4be1f0c2a9d7", "INSTANCE=web-2"}, "web-2", ""},
		{nil, "", ""},
	} {
		got, err := FromEnv(env(test.env...))
		if err != nil || got.Instance != test.instance || got.Container != test.container {
			t.Errorf("%v: instance %q, container %q, %v", test.env, got.Instance, got.Container, err)
		}
	}
	if _, err := FromEnv(env("HOSTNAME=a|b")); err == nil || !strings.Contains(err.Error(), "set INSTANCE") {
		t.Errorf("a host name that would end the field: %v", err)
	}
}

func TestStatsDAddress(t *testing.T) {
	tests := []struct {
		env  []string
		want string
	}{
		{[]string{"STATSD_PORT=9125"}, "127.0.0.1:9125"},
		{[]string{"STATSD_HOST=collector"}, "collector:8125"},
		{[]string{"STATSD_HOST=::1", "STATSD_PORT=9125"}, "[::1]:9125"},
		{[]string{"STATSD_PORT=9125", "DD_DOGSTATSD_URL=udp://agent:1"}, "127.0.0.1:9125"},
		{[]string{"DD_DOGSTATSD_URL=udp://agent:9125", "DD_AGENT_HOST=other"}, "agent:9125"},
		{[]string{"DD_DOGSTATSD_URL=udp://agent"}, "agent:8125"},
		{[]string{"DD_DOGSTATSD_URL=unix:///run/dsd.socket"}, "unix:///run/dsd.socket"},
		{[]string{"DD_AGENT_HOST=agent"}, "agent:8125"},
		{[]string{"DD_AGENT_HOST=agent", "DD_DOGSTATSD_PORT=9125"}, "agent:9125"},
		{[]string{"DD_DOGSTATSD_PORT=9125"}, "127.0.0.1:9125"},
	}
	for _, test := range tests {
		got, err := FromEnv(env(test.env...))
		if err != nil || got.StatsD != test.want {
			t.Errorf("%v: got %q, %v, want %q", test.env, got.StatsD, err, test.want)
		}
	}
}

func TestTags(t *testing.T) {
	for text, want := range map[string][]string{
		"a:1,b:2":    {"a:1", "b:2"},
		"a:1 b:2":    {"a:1", "b:2"},
		" a:1, b:2,": {"a:1", "b:2"},
	} {
		got, err := parseTags(text)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestBadEnvironmentIsRefused(t *testing.T) {
	tests := []struct{ env, err string }{
		{"MONGODB_URI=", "MONGODB_URI: not set; give the address of the database, such as mongodb://127.0.0.1:27017"},
		{"PORT=http", `PORT: "http" is not a port (0 to 65535)`},
		{"PORT=-1", `PORT: "-1" is not a port (0 to 65535)`},
		{"STATSD_PORT=0", `STATSD_PORT: "0" is not a port (1 to 65535)`},
		{"STATSD_PORT=65536", `STATSD_PORT: "65536" is not a port (1 to 65535)`},
		{"DD_DOGSTATSD_PORT=x", `DD_DOGSTATSD_PORT: "x" is not a port (1 to 65535)`},
		{"DD_DOGSTATSD_URL=http://agent", `DD_DOGSTATSD_URL: "http://agent" is neither udp://host:port nor unix:///path`},
		{"DD_DOGSTATSD_URL=udp://", `DD_DOGSTATSD_URL: "udp://" is neither udp://host:port nor unix:///path`},
		{"STATSD_AGGREGATION=2", `STATSD_AGGREGATION: "2" is not a duration from 1ms to 1m0s, such as 2s`},
		{"STATSD_AGGREGATION=-1s", `STATSD_AGGREGATION: "-1s" is not a duration from 1ms to 1m0s, such as 2s`},
		{"STATSD_AGGREGATION=2h", `STATSD_AGGREGATION: "2h" is not a duration from 1ms to 1m0s, such as 2s`},
		{"STOP_TAKES=long", `STOP_TAKES: "long" is not a duration from 1ms to 1h0m0s, such as 2s`},
		{"STATSD_SAMPLE_RATE=half", `STATSD_SAMPLE_RATE: "half" is not a number above 0 and at most 1`},
		{"STATSD_SAMPLE_RATE=0", `STATSD_SAMPLE_RATE: "0" is not a number above 0 and at most 1`},
		{"STATSD_SAMPLE_RATE=NaN", `STATSD_SAMPLE_RATE: "NaN" is not a number above 0 and at most 1`},
		{"STATSD_SAMPLE_RATE=1.1", `STATSD_SAMPLE_RATE: "1.1" is not a number above 0 and at most 1`},
		{"DD_TAGS=a:1|b", `DD_TAGS: tag "a:1|b" has a character that StatsD uses itself; leave out | and line breaks`},
	}
	for _, test := range tests {
		_, err := FromEnv(env(test.env))
		if text := errorText(err); text != test.err {
			t.Errorf("%s: error %q, want %q", test.env, text, test.err)
		}
	}
}

// How the client batches or samples can be told, but not both at once.
func TestClientSettings(t *testing.T) {
	got, err := FromEnv(env("STATSD_AGGREGATION=2s", "STATSD_SAMPLE_RATE=1"))
	if err != nil || got.Aggregation != 2*time.Second || got.SampleRate != 1 {
		t.Errorf("%v, %v, %v", got.Aggregation, got.SampleRate, err)
	}
	got, err = FromEnv(env("STATSD_SAMPLE_RATE=0.25", "STOP_TAKES=4s"))
	if err != nil || got.StopTakes != 4*time.Second || got.Aggregation != 0 || got.SampleRate != 0.25 {
		t.Errorf("%v, %v, %v", got.Aggregation, got.SampleRate, err)
	}
	if _, err := FromEnv(env("STATSD_AGGREGATION=2s", "STATSD_SAMPLE_RATE=0.5")); err == nil || !strings.Contains(err.Error(), "leave it out") {
		t.Errorf("both: %v", err)
	}
}
