package server

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	datadog "github.com/DataDog/datadog-go/v5/statsd"

	"throughline/collector"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// These tests take real clients, let each make the same calls, and ask the store
// for the numbers: 300 orders, 200 times 3 items, the timings 1 to 200 ms, and
// what else the client has.

// conforming asks for what every client is to leave behind.
func conforming(t *testing.T, s *rig, at time.Time) {
	t.Helper()
	for expr, want := range map[string]float64{
		`shop_orders_total{instance="web-1"}`:              300,
		`shop_items_total{instance="web-1"}`:               600,
		`shop_carts{instance="web-1"}`:                     7,
		`histogram_count(shop_checkout{instance="web-1"})`: 200,
		`histogram_sum(shop_checkout{instance="web-1"})`:   20_100,
		`sum(throughline_collector_bad_lines_total or throughline_collector_refused_lines_total or vector(0))`: 0,
		// Within the 5 % that a histogram promises.
		`count(abs(histogram_quantile(0.5, shop_checkout) - 100) < 5)`:    1,
		`count(abs(histogram_quantile(0.95, shop_checkout) - 190) < 9.5)`: 1,
	} {
		exactly(t, s, expr, at, want)
	}
	balanced(t, s)
}

// exactly asks for one number.
func exactly(t *testing.T, s *rig, expr string, at time.Time, want float64) {
	t.Helper()
	answer := ask(t, s, expr, at)
	if len(answer) != 1 {
		t.Errorf("%s gives %v, want %v", expr, answer, want)
	}
	for _, got := range answer {
		if got != want {
			t.Errorf("%s is %v, want %v", expr, got, want)
		}
	}
}

// script runs a client in another language with its arguments: where to send, and
// over which network. It is missing where a machine does
// not have it, which is said.
func script(t *testing.T, interpreter, file string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, append([]string{filepath.Join("testdata", "clients", file)}, args...)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "" && (errors.Is(err, exec.ErrNotFound) || cmd.ProcessState != nil) {
		t.Skipf("SKIPPED, NOTHING PROVED: %s %s: %v; make deps installs the clients on Debian\n%s", interpreter, file, err, out)
	}
	t.Fatalf("%s %s: %v\n%s", interpreter, file, err, out)
}

func TestForeignClients(t *testing.T) {
	for _, client := range []struct {
		interpreter, file string
		network           socket.Network
		more              map[string]float64
	}{
		{"/usr/bin/python3", "python_statsd.py", socket.UDP, map[string]float64{"max_over_time(shop_users[2h])": 2}},
		{"/usr/bin/python3", "python_statsd.py", socket.TCP, map[string]float64{"max_over_time(shop_users[2h])": 2}},
		{"/usr/bin/python3", "python_aiodogstatsd.py", socket.UDP, map[string]float64{
			`shop_errors_total{code="503",zone="a"}`: 1, `histogram_sum(shop_basket{zone="a"})`: 400}},
		{"ruby", "ruby_statsd.rb", socket.UDP, map[string]float64{"max_over_time(shop_users[2h])": 2}},
		{"perl", "perl_net_statsd.pl", socket.UDP, nil},
	} {
		t.Run(client.file+" over "+string(client.network), func(t *testing.T) {
			// A set is seen whole within one interval.
			s, at := inOneInterval(t, Config{})
			addr, err := s.statsd.Listen(statsd.Listener{Instance: "web-1", Addr: socket.Address{Network: client.network, Host: "127.0.0.1:0"}})
			if err != nil {
				t.Fatal(err)
			}
			stop := start(t, s)
			script(t, client.interpreter, client.file, addr.Host, string(client.network))
			stop()
			for expr, want := range client.more {
				exactly(t, s, expr, at, want)
			}
			conforming(t, s, at)
		})
	}
}

// TestDatadogClient: what Datadog's client for Go sends over each of its ways is
// counted exactly, with its aggregation and without.
func TestDatadogClient(t *testing.T) {
	aggregations := map[string][]datadog.Option{
		"default":        nil,
		"not aggregated": {datadog.WithoutClientSideAggregation()},
		"extended":       {datadog.WithExtendedClientSideAggregation()},
	}
	for name, options := range aggregations {
		for _, network := range []socket.Network{socket.UDP, socket.Unixgram, socket.Unixstream} {
			t.Run(name+" over "+string(network), func(t *testing.T) {
				s, at := inOneInterval(t, Config{})
				addr := socket.Address{Network: network, Host: "127.0.0.1:0"}
				if network != socket.UDP {
					addr = socket.Address{Network: network, Path: filepath.Join(t.TempDir(), "statsd.sock")}
				}
				addr, err := s.statsd.Listen(statsd.Listener{Instance: "web-1", Labels: collector.NewLabels("zone", "b"), Addr: addr})
				if err != nil {
					t.Fatal(err)
				}
				stop := start(t, s)
				to := addr.String()
				if network == socket.Unixgram {
					to = "unix://" + addr.Path // the client knows no other word for it
				}
				datadogCalls(t, to, options)
				stop()
				conforming(t, s, at)
				if got := len(s.journal.between(time.Time{}, at, "", 10)); got != 2 {
					t.Errorf("%d events in the journal, want the event and the service check", got)
				}
				exactly(t, s, `throughline_service_check{check="db"}`, at, 2)
			})
		}
	}
}

// datadogCalls makes the calls of all clients, and an event and a check.
func datadogCalls(t *testing.T, to string, options []datadog.Option) {
	t.Helper()
	// The client's own telemetry comes every 10 s and is left out.
	client, err := datadog.New(to, append(options, datadog.WithNamespace("shop."), datadog.WithTags([]string{"role:web"}), datadog.WithoutTelemetry(),
		datadog.WithSenderQueueSize(10_000), datadog.WithWriteTimeout(time.Minute))...)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		must(client.Incr("orders", nil, 1))
		must(client.Count("items", 3, nil, 1))
		must(client.Timing("checkout", time.Duration(i+1)*time.Millisecond, nil, 1))
	}
	for range 100 {
		must(client.Incr("orders", nil, 1))
	}
	must(client.Gauge("carts", 7, nil, 1))
	must(client.Event(&datadog.Event{Title: "deploy", Text: "one\ntwo"}))
	must(client.ServiceCheck(&datadog.ServiceCheck{Name: "db", Status: datadog.Critical, Message: "m:down"}))
	must(client.Close())
}
