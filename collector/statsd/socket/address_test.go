package socket

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"127.0.0.1:8125":              {Network: UDP, Host: "127.0.0.1:8125"},
		":8125":                       {Network: UDP, Host: ":8125"},
		"localhost:0":                 {Network: UDP, Host: "localhost:0"},
		"[fe80::1%eth0]:8125":         {Network: UDP, Host: "[fe80::1%eth0]:8125"},
		"udp://[::1]:8125":            {Network: UDP, Host: "[::1]:8125"},
		"tcp://127.0.0.1:8125":        {Network: TCP, Host: "127.0.0.1:8125"},
		"unixgram:///run/s.sock":      {Network: Unixgram, Path: "/run/s.sock"},
		"unix:///run/s.sock":          {Network: Unixgram, Path: "/run/s.sock"},
		"unixstream:///run/s.sock":    {Network: Unixstream, Path: "/run/s.sock"},
		"unixgram:///run/a b:1?c#d%2": {Network: Unixgram, Path: "/run/a b:1?c#d%2"},
	} {
		got, err := ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%s is written as %s, which is read as %+v, %v", text, got, again, err)
		}
	}
	if got := (Address{Network: UDP, Host: "[::1]:8125"}).String(); got != "[::1]:8125" {
		t.Errorf("UDP is written as %s, want host and port alone", got)
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "missing port",
		"127.0.0.1":                 "missing port in address: want host:port",
		"udp://127.0.0.1":           "missing port",
		"tcp://":                    "missing port",
		"::1:8125":                  "[::1]:8125",
		"127.0.0.1:":                `port ""`,
		"127.0.0.1:statsd":          `port "statsd": want a number`,
		"127.0.0.1:65536":           `port "65536"`,
		"127.0.0.1:-1":              `port "-1"`,
		"tcp://127.0.0.1:8125/x":    `port "8125/x"`,
		"http://127.0.0.1:8125":     `unknown scheme "http": want udp, tcp, unixgram, unixstream or unix`,
		"://127.0.0.1:8125":         `unknown scheme ""`,
		"UDP://127.0.0.1:8125":      `unknown scheme "UDP"`,
		"/run/s.sock":               "unixgram:///run/s.sock",
		"unixgram://run/s.sock":     "not absolute",
		"unix://":                   "not absolute",
		"unixstream://./s.sock":     "not absolute",
		"unixgram://@abstract":      "not absolute",
		"unixgram:///run/":          "directory",
		"unixgram:///run/a\x00b":    "zero byte",
		"unixgram:///" + x(maxPath): "path of 108 bytes: the kernel takes 107 at most",
	} {
		got, err := ParseAddress(text)
		if err == nil || !strings.Contains(err.Error(), want) || got != (Address{}) {
			t.Errorf("%q: got %+v, %v, want an error with %q", text, got, err, want)
		}
	}
	if _, err := ParseAddress("unixgram:///" + x(maxPath-1)); err != nil {
		t.Errorf("a path of just %d bytes: %v", maxPath, err)
	}
}

func x(n int) string { return strings.Repeat("x", n) }

func TestOpenChecksWhatItGets(t *testing.T) {
	for want, c := range map[string]struct {
		a Address
		o Options
	}{
		"unknown scheme":                       {Address{}, Options{MaxPayload: 1}},
		"not absolute":                         {Address{Network: Unixgram}, Options{MaxPayload: 1}},
		"missing port":                         {Address{Network: TCP, Host: "127.0.0.1"}, Options{MaxPayload: 1}},
		"at most 0 bytes: want a limit from 1": {Address{Network: UDP, Host: "127.0.0.1:0"}, Options{}},
		"at most 2097152 bytes":                {Address{Network: TCP, Host: "127.0.0.1:0"}, Options{MaxPayload: 2 << 20}},
		"not an address of this machine":       {Address{Network: UDP, Host: "192.0.2.1:0"}, Options{MaxPayload: 1}},
		"tcp://192.0.2.1:0: ":                  {Address{Network: TCP, Host: "192.0.2.1:0"}, Options{MaxPayload: 1}},
		// Nobody is asked for a name with a space in it.
		"lookup a b: no such host": {Address{Network: UDP, Host: "a b:0"}, Options{MaxPayload: 1}},
		"lookup c d: no such host": {Address{Network: TCP, Host: "c d:0"}, Options{MaxPayload: 1}},
	} {
		if s, err := Open(c.a, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v %+v: got %v, %v, want an error with %q", c.a, c.o, s, err, want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	for name, address := range everyNetwork(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			_, err := Open(s.Addr(), Options{MaxPayload: 1})
			if err == nil || !strings.Contains(err.Error(), "address already in use: another process listens there") || !strings.HasPrefix(err.Error(), s.Addr().String()) {
				t.Errorf("got %v, want that it is in use", err)
			}
			// The one that listens is not harmed.
			var g got
			read(t, s, g.handle)
			send(t, dial(t, s), wire(s, "a:1|c"))
			until(t, "it came", func() bool { n, _, _ := g.sum(); return n == 1 })
			if f := s.Figures(); f.Connections > 1 {
				t.Errorf("%d connections, want the one alone", f.Connections)
			}
		})
	}
}
