package statsd

import (
	"fmt"
	"strings"

	"throughline/collector/statsd/socket"
)

// ParseGauges reads auto, deltas or absolute.
func ParseGauges(text string) (Gauges, error) {
	gauges, known := map[string]Gauges{"auto": Auto, "deltas": Deltas, "absolute": Absolute}[text]
	if !known {
		return Auto, fmt.Errorf("%s: want auto, deltas or absolute", text)
	}
	return gauges, nil
}

// ParseOrigin reads listener, source or container.
func ParseOrigin(text string) (Origin, error) {
	for _, o := range []Origin{ByListener, BySource, ByContainer} {
		if o.String() == text {
			return o, nil
		}
	}
	return ByListener, fmt.Errorf("%s: want listener, source or container", text)
}

// ParseListener reads [NAME=]ADDRESS: the way in of the instance NAME or, without a name,
// one where origin tells who sent a line. The address is as socket.ParseAddress reads it.
func ParseListener(text string, origin Origin) (Listener, error) {
	name, address, found := strings.Cut(text, "=")
	if !found || strings.ContainsAny(name, ":/") { // a path may have a = in it
		name, address = "", text
	}
	addr, err := socket.ParseAddress(address)
	if err != nil {
		return Listener{}, fmt.Errorf("%s: %w", text, err)
	}
	if name != "" {
		origin = ByListener
	}
	return Listener{Instance: name, Addr: addr, Origin: origin}, nil
}
