package cli

import (
	"runtime/debug"
	"testing"
)

func TestVersionLine(t *testing.T) {
	of := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for want, info := range map[string]*debug.BuildInfo{
		"throughline v1.2.0":                 of("v1.2.0"),
		"throughline (devel) (0123456789ab)": of("(devel)", revision),
		"throughline (devel) (0123456789ab, modified, 2026-01-02T03:04:05Z)": of("(devel)", revision,
			debug.BuildSetting{Key: "vcs.modified", Value: "true"}, debug.BuildSetting{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}),
		"throughline (devel) (short)": of("(devel)", debug.BuildSetting{Key: "vcs.revision", Value: "short"}),
	} {
		if got := versionLine("throughline", info, true); got != want+" "+platformOf() {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := versionLine("throughline", nil, false); got != "throughline unknown "+platformOf() {
		t.Errorf("of a program without build information: %q", got)
	}
}
