package docker

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
)

func TestAddressesEnd(t *testing.T) {
	n := &network{
		name: "throughline-r", subnet: netip.MustParsePrefix("10.1.2.0/29"), gateway: netip.MustParseAddr("10.1.2.1"),
		last: netip.MustParseAddr("10.1.2.1"), given: map[string]netip.Addr{},
	}
	for i, want := range []string{"10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"} {
		name := string(rune('a' + i))
		for range 2 { // the same one when asked again
			if got, err := n.locate(name); err != nil || got.String() != want {
				t.Errorf("%s: %v, %v, want %s", name, got, err, want)
			}
		}
	}
	if got, err := n.locate("f"); err == nil || !strings.Contains(err.Error(), "fewer instances") {
		t.Errorf("after the last: %v, %v", got, err)
	}
}

func TestPortsAreChosen(t *testing.T) {
	got := choosePorts(map[string]int{"http": 0, "admin": 8080, "stats": 0, "other": 9000})
	if d := cmp.Diff(map[string]int{"http": 8081, "admin": 8080, "stats": 8082, "other": 9000}, got); d != "" {
		t.Error(d)
	}
}

func TestTheEnginesStatusIsRead(t *testing.T) {
	at := time.Unix(1, 0)
	for status, want := range map[int64]compose.Exit{
		0:   {At: at},
		7:   {Code: 7, At: at},
		137: {Code: -1, Signal: "SIGKILL", At: at},
		139: {Code: -1, Signal: "SIGSEGV", At: at},
		143: {Code: 143, At: at}, // the first process dies of no SIGTERM: it exited
	} {
		if got := exitOf(status, at); got != want {
			t.Errorf("status %d: %+v, want %+v", status, got, want)
		}
	}
}
