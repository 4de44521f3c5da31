package dogstatsd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStyles(t *testing.T) {
	for _, tt := range []struct {
		styles Styles
		name   string
		want   string // base, tags, style
	}{
		{InfluxDB, "page.views,zone=a,role=web", "page.views #zone=a #role=web influxdb"},
		{Librato, "page.views#zone=a,role=web", "page.views #zone=a #role=web librato"},
		{SignalFx, "page.views[zone=a,role=web]", "page.views #zone=a #role=web signalfx"},
		{SignalFx, "page[zone=a].views", "page.views #zone=a signalfx"},
		{SignalFx, "[zone=a]page", "page #zone=a signalfx"},
		{AllStyles, "a,k=v", "a #k=v influxdb"},
		{AllStyles, "a#k=v", "a #k=v librato"},
		{AllStyles, "a[k=v]", "a #k=v signalfx"},
		{AllStyles, "a#k=v#w,l=m", "a #k=v#w #l=m librato"}, // the first sign decides
		{AllStyles, "a,k=v#w", "a #k=v#w influxdb"},
		{AllStyles, "a,k=v[l=m]", "a,k=v #l=m signalfx"}, // but SignalFx goes first, as in statsd_exporter
		{AllStyles, "a,k=", "a #k= influxdb"},
		{AllStyles, "a,k=v,,canary", "a #k=v #canary influxdb"},
		{AllStyles, "a,k=v=w", "a #k=v=w influxdb"},
		// What is not asked for, or only looks like it.
		{NoStyle, "a,k=v", "a,k=v dogstatsd"},
		{Librato | SignalFx, "a,k=v", "a,k=v dogstatsd"},
		{InfluxDB | SignalFx, "a#k=v", "a#k=v dogstatsd"},
		{InfluxDB | Librato, "a[k=v]", "a[k=v] dogstatsd"},
		{AllStyles, "a", "a dogstatsd"},
		{AllStyles, "", " dogstatsd"},
		{AllStyles, "a,b", "a,b dogstatsd"},
		{AllStyles, "a,", "a, dogstatsd"},
		{AllStyles, "a,=v", "a,=v dogstatsd"},
		{AllStyles, "a,b,k=v", "a,b,k=v dogstatsd"},
		{AllStyles, ",k=v", ",k=v dogstatsd"},
		{AllStyles, "#k=v", "#k=v dogstatsd"},
		{AllStyles, "[k=v]", "[k=v] dogstatsd"},
		{AllStyles, "a[]", "a[] dogstatsd"},
		{AllStyles, "a[0]", "a[0] dogstatsd"},
		{AllStyles, "a[k=v", "a[k=v dogstatsd"},
		{AllStyles, "a]k=v[", "a]k=v[ dogstatsd"},
		{AllStyles, "a=b", "a=b dogstatsd"},
	} {
		base, tags, style := tt.styles.SplitName([]byte(tt.name))
		var got strings.Builder
		fmt.Fprintf(&got, "%s", base)
		for name, value, rest, ok := NextNameTag(tags); ok; name, value, rest, ok = NextNameTag(rest) {
			fmt.Fprintf(&got, " #%s", name)
			if value != nil {
				fmt.Fprintf(&got, "=%s", value)
			}
		}
		fmt.Fprintf(&got, " %v", style)
		if got.String() != tt.want {
			t.Errorf("%v of %q: %q, want %q", tt.styles, tt.name, &got, tt.want)
		}
	}
}

// TestSplitNameWritesNothing: the name points into a datagram, which is the
// socket's.
func TestSplitNameWritesNothing(t *testing.T) {
	datagram := []byte("page[zone=a].views:1|c")
	base, _, _ := SignalFx.SplitName(datagram[:18])
	if string(base) != "page.views" || string(datagram) != "page[zone=a].views:1|c" {
		t.Errorf("%q, and the datagram is %q", base, datagram)
	}
}

func TestStyleNames(t *testing.T) {
	for _, name := range StyleNames {
		if s, err := ParseStyles(name); err != nil || s.String() != name {
			t.Errorf("%s is %v, %v", name, s, err)
		}
	}
	if _, err := ParseStyles("influx"); err == nil || !slices.Contains(strings.Fields(err.Error()), "influxdb,") {
		t.Errorf("influx: %v", err)
	}
}
