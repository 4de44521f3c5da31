package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is what an instance is told. FromEnv makes one; the zero value of
// each field but MongoURI and StatsD is usable.
type Config struct {
	Host     string   // address to listen on; empty = 127.0.0.1
	Port     int      // 0 = any free port
	Instance string   // "web-2"; for the log, and for some defects
	Zone     string   // for the log
	StatsD   string   // host:port, or unix:///path
	Tags     []string // on every StatsD line, as "key:value"
	// TagsFrom is where tags and zone come from in the place of Tags and Zone: TagsFromIMDS,
	// or empty. Metadata is the URL of the instance metadata service; empty = where EC2 has it.
	TagsFrom, Metadata string
	// Container is on every StatsD line as its origin (|c:), for a collector
	// that cannot tell by the socket; empty = nothing is said.
	Container string
	// Aggregation is how long counts and gauges are put together before they
	// are sent; 0 = 40 ms. SampleRate is that of counters, above 0 and at most
	// 1; 0 = 1. A client that samples does not aggregate: only one can be set.
	Aggregation time.Duration
	SampleRate  float64
	// StopTakes is how much longer than it must a stop takes, as of an app that
	// has pools to close and leases to give back; 0 = no longer.
	StopTakes time.Duration
	// CPUEvery is how often the app tells what CPU time it has used, in fullstack.cpu.us; 0 = never.
	CPUEvery time.Duration
	// WorkEvery is how often the app does some work that nobody asked for, as a worker
	// does; 0 = never.
	WorkEvery time.Duration
	// Expose has the app show what it counts to a Prometheus as well, at /metrics.
	Expose bool
	// Export has the app push what it counts by OTLP as well, by this protocol: http/protobuf or grpc; empty = it does not. All else
	// OpenTelemetry's SDK reads from the environment itself.
	Export   string
	MongoURI string // mongodb://…
	Defect   string // one of Defects, or empty for right instrumentation

	Log   io.Writer         // nil = os.Stderr; written to by one goroutine at a time
	Ready func(addr string) // called once, when requests are accepted; may be nil

	// StartTimeout bounds the wait for the database at the start; 0 = 8 s.
	StartTimeout time.Duration
}

const (
	defaultHost       = "127.0.0.1"
	defaultPort       = 8080 // what gin's own Run takes without PORT
	defaultStatsDPort = "8125"
	defaultStart      = 8 * time.Second
)

// FromEnv reads HOST, PORT, INSTANCE, ZONE, MONGODB_URI, DD_TAGS and the StatsD
// address: STATSD_HOST and STATSD_PORT, else DD_DOGSTATSD_URL, else
// DD_AGENT_HOST and DD_DOGSTATSD_PORT, else 127.0.0.1:8125.
//
// TAGS_FROM=imds takes tags and zone from the instance metadata service of a cloud, at
// AWS_EC2_METADATA_SERVICE_ENDPOINT or where EC2 has it.
//
// STATSD_AGGREGATION ("2s") and STATSD_SAMPLE_RATE ("0.5") set the client up,
// STOP_TAKES ("4s") makes a stop take so much longer. CPU_EVERY ("1s") has the app tell so often what CPU time it has
// used. WORK_EVERY ("20ms") has it work
// by itself, see Config.WorkEvery. EXPOSE=yes has it show its numbers to a Prometheus, too; OTEL_METRICS_EXPORTER=otlp has
// it push them, by OTEL_EXPORTER_OTLP_METRICS_PROTOCOL, else OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf.
//
// Without INSTANCE the instance is HOSTNAME, which Docker sets to the beginning
// of the container's id, and each line says so.
//
// datadog-go itself reads neither STATSD_* nor DD_TAGS, and prefers its own
// variables only where the program gives no address.
// Source: https://docs.datadoghq.com/developers/dogstatsd/
func FromEnv(getenv func(string) string) (Config, error) {
	c := Config{
		Host:     getenv("HOST"),
		Port:     defaultPort,
		Instance: getenv("INSTANCE"),
		Zone:     getenv("ZONE"),
		MongoURI: getenv("MONGODB_URI"),
		TagsFrom: getenv("TAGS_FROM"),
		Metadata: getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
		Log:      os.Stderr,
	}
	if c.Instance == "" {
		c.Instance, c.Container = getenv("HOSTNAME"), getenv("HOSTNAME")
	}
	var err error
	if text := getenv("PORT"); text != "" {
		if c.Port, err = parsePort("PORT", text, 0); err != nil {
			return Config{}, err
		}
	}
	if c.StatsD, err = statsdAddr(getenv); err != nil {
		return Config{}, err
	}
	if c.Tags, err = parseTags(getenv("DD_TAGS")); err != nil {
		return Config{}, err
	}
	if c.Aggregation, c.SampleRate, err = clientSettings(getenv("STATSD_AGGREGATION"), getenv("STATSD_SAMPLE_RATE")); err != nil {
		return Config{}, err
	}
	if text := getenv("STOP_TAKES"); text != "" {
		if c.StopTakes, err = parseDuration("STOP_TAKES", text, time.Hour); err != nil {
			return Config{}, err
		}
	}
	if text := getenv("CPU_EVERY"); text != "" {
		if c.CPUEvery, err = parseDuration("CPU_EVERY", text, time.Minute); err != nil {
			return Config{}, err
		}
	}
	if text := getenv("WORK_EVERY"); text != "" {
		if c.WorkEvery, err = parseDuration("WORK_EVERY", text, time.Hour); err != nil {
			return Config{}, err
		}
	}
	switch text := getenv("EXPOSE"); text {
	case "", "no":
	case "yes":
		c.Expose = true
	default:
		return Config{}, fmt.Errorf("EXPOSE: %q is not known; want yes or no", text)
	}
	if c.Export, err = exportBy(getenv); err != nil {
		return Config{}, err
	}
	if strings.ContainsAny(c.Container, "|\n") {
		return Config{}, fmt.Errorf("HOSTNAME: %q has a character that StatsD uses itself; set INSTANCE", c.Container)
	}
	if err := c.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// check refuses what cannot work, and completes the rest.
func (c *Config) check() error {
	if c.MongoURI == "" {
		return fmt.Errorf("MONGODB_URI: not set; give the address of the database, such as mongodb://127.0.0.1:27017")
	}
	if c.StatsD == "" {
		return fmt.Errorf("statsd: no address; set STATSD_HOST and STATSD_PORT")
	}
	if c.TagsFrom != "" && c.TagsFrom != TagsFromIMDS {
		return fmt.Errorf("TAGS_FROM: %q is not known; want %s, or leave it out", c.TagsFrom, TagsFromIMDS)
	}
	if c.Defect != "" {
		if _, err := findDefect(c.Defect); err != nil {
			return err
		}
	}
	if c.Host == "" {
		c.Host = defaultHost
	}
	if c.Log == nil {
		c.Log = os.Stderr
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = defaultStart
	}
	return nil
}

// clientSettings reads what the client is told but for its address.
func clientSettings(aggregation, rate string) (every time.Duration, sampled float64, err error) {
	if aggregation != "" {
		if every, err = parseDuration("STATSD_AGGREGATION", aggregation, time.Minute); err != nil {
			return 0, 0, err
		}
	}
	if rate != "" {
		if sampled, err = strconv.ParseFloat(rate, 64); err != nil || !(sampled > 0 && sampled <= 1) {
			return 0, 0, fmt.Errorf("STATSD_SAMPLE_RATE: %q is not a number above 0 and at most 1", rate)
		}
	}
	if every > 0 && sampled > 0 && sampled < 1 {
		return 0, 0, errors.New("STATSD_AGGREGATION: a client that samples does not aggregate; leave it out, or STATSD_SAMPLE_RATE")
	}
	return every, sampled, nil
}

// exportBy is the protocol by which metrics are to be pushed, by the variables of OpenTelemetry's SDKs; "": they are not.
// Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func exportBy(getenv func(string) string) (string, error) {
	if getenv("OTEL_METRICS_EXPORTER") != "otlp" {
		return "", nil
	}
	name := "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
	protocol := getenv(name)
	if protocol == "" {
		name = "OTEL_EXPORTER_OTLP_PROTOCOL"
		protocol = cmp.Or(getenv(name), exportProtocols[0])
	}
	if !slices.Contains(exportProtocols, protocol) {
		return "", fmt.Errorf("%s: %q is not known; want %s", name, protocol, strings.Join(exportProtocols, " or "))
	}
	return protocol, nil
}

// parseDuration reads one from 1 ms on.
func parseDuration(name, text string, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Millisecond || d > most {
		return 0, fmt.Errorf("%s: %q is not a duration from 1ms to %v, such as 2s", name, text, most)
	}
	return d, nil
}

func statsdAddr(getenv func(string) string) (string, error) {
	if host, port := getenv("STATSD_HOST"), getenv("STATSD_PORT"); host != "" || port != "" {
		return hostPort(host, "STATSD_PORT", port)
	}
	if text := getenv("DD_DOGSTATSD_URL"); text != "" {
		return statsdURL(text)
	}
	return hostPort(getenv("DD_AGENT_HOST"), "DD_DOGSTATSD_PORT", getenv("DD_DOGSTATSD_PORT"))
}

// statsdURL reads udp://host[:port] and unix:///path (also unixgram and
// unixstream), the forms Datadog documents for DD_DOGSTATSD_URL.
func statsdURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("DD_DOGSTATSD_URL: %w", err)
	}
	switch u.Scheme {
	case "udp":
		if u.Hostname() != "" {
			return hostPort(u.Hostname(), "DD_DOGSTATSD_URL", u.Port())
		}
	case "unix", "unixgram", "unixstream":
		if u.Path != "" {
			return text, nil
		}
	}
	return "", fmt.Errorf("DD_DOGSTATSD_URL: %q is neither udp://host:port nor unix:///path", text)
}

// hostPort completes a StatsD address; name is the variable the port came from.
func hostPort(host, name, port string) (string, error) {
	if host == "" {
		host = defaultHost
	}
	if port == "" {
		port = defaultStatsDPort
	}
	if _, err := parsePort(name, port, 1); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), nil
}

func parsePort(name, text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 65535 {
		return 0, fmt.Errorf("%s: %q is not a port (%d to 65535)", name, text, least)
	}
	return n, nil
}

// parseTags reads "a:1,b:2" and "a:1 b:2", the two forms Datadog documents for
// DD_TAGS. Source: https://docs.datadoghq.com/getting_started/tagging/
func parseTags(text string) ([]string, error) {
	tags := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	for _, tag := range tags {
		// The client sends tags as they are; these two end the tag list or
		// the line.
		if strings.ContainsAny(tag, "|\n") {
			return nil, fmt.Errorf("DD_TAGS: tag %q has a character that StatsD uses itself; leave out | and line breaks", tag)
		}
	}
	return tags, nil
}
