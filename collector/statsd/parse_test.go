package statsd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector/statsd/socket"
)

func TestParseGaugesAndOrigins(t *testing.T) {
	for text, want := range map[string]Gauges{"auto": Auto, "deltas": Deltas, "absolute": Absolute} {
		if got, err := ParseGauges(text); got != want || err != nil {
			t.Errorf("gauges %s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]Origin{"listener": ByListener, "source": BySource, "container": ByContainer} {
		if got, err := ParseOrigin(text); got != want || err != nil {
			t.Errorf("origin %s: %v, %v", text, got, err)
		}
	}
	if _, err := ParseGauges("etsy"); err == nil || err.Error() != "etsy: want auto, deltas or absolute" {
		t.Errorf("gauges etsy: %v", err)
	}
	if _, err := ParseOrigin("name"); err == nil || err.Error() != "name: want listener, source or container" {
		t.Errorf("origin name: %v", err)
	}
}

func TestParseListener(t *testing.T) {
	for text, want := range map[string]Listener{
		"127.0.0.1:8125":       {Origin: BySource, Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:8125"}},
		"web-1=127.0.0.1:9001": {Instance: "web-1", Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:9001"}},
		"unix:///run/a=b.sock": {Origin: BySource, Addr: socket.Address{Network: socket.Unixgram, Path: "/run/a=b.sock"}},
	} {
		got, err := ParseListener(text, BySource)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	if _, err := ParseListener("web-1=nowhere", BySource); err == nil || !strings.HasPrefix(err.Error(), "web-1=nowhere: address ") {
		t.Errorf("no port: %v", err)
	}
}
