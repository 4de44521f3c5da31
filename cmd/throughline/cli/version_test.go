package cli

import (
	"runtime"
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
		if got := versionLine("throughline", "", info, true); got != want+" "+platformOf() {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := versionLine("throughline", "", nil, false); got != "throughline unknown "+platformOf() {
		t.Errorf("of a program without build information: %q", got)
	}
	if got := versionLine("throughline", "v1.3.0", of("(devel)", revision), true); got != "throughline v1.3.0 (0123456789ab) "+platformOf() {
		t.Errorf("of a program that was given a version: %q", got)
	}
	if got := versionLine("throughline", "v1.3.0", nil, false); got != "throughline v1.3.0 "+platformOf() {
		t.Errorf("of one that was given a version and knows nothing else: %q", got)
	}
	for want, got := range map[string]string{
		"v1.3.0": version("v1.3.0", of("(devel)", revision), true), "0123456789ab": version("", of("(devel)", revision), true),
		"v1.2.0": version("", of("v1.2.0"), true), "unknown": version("", nil, false),
	} {
		if got != want {
			t.Errorf("records call it %q, want %q", got, want)
		}
	}
}

// What a release was given goes before what Go knows.
func TestReleased(t *testing.T) {
	t.Cleanup(func() { stamp, commit, committed = "", "", "" })
	own := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "other"}}}
	if got := released(own); got != own {
		t.Errorf("%+v of a program that was given nothing", got)
	}
	for version, modified := range map[string]bool{"v1.2.0": false, "v1.2.0-dirty": true} {
		stamp, commit, committed = version, "0123456789abcdef", "2026-01-02T03:04:05Z"
		b := build(stamp, released(own), true)
		if b.Version != version || b.Commit != commit || b.Date != committed || b.Modified != modified {
			t.Errorf("%+v", b)
		}
	}
	if len(own.Settings) != 1 {
		t.Errorf("what Go knows was changed: %+v", own)
	}
}

func TestBuild(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.0"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}}}
	of := func(b Build) Build {
		b.Go, b.OS, b.Arch = runtime.Version(), runtime.GOOS, runtime.GOARCH
		return b
	}
	for _, c := range []struct{ got, want Build }{
		{build("", info, true), Build{Version: "v1.2.0", Commit: "0123456789abcdef0123", Modified: true, Date: "2026-01-02T03:04:05Z"}},
		{build("v1.3.0", info, true), Build{Version: "v1.3.0", Commit: "0123456789abcdef0123", Modified: true, Date: "2026-01-02T03:04:05Z"}},
		{build("", nil, false), Build{Version: "unknown"}},
	} {
		if c.got != of(c.want) {
			t.Errorf("%+v, want %+v", c.got, of(c.want))
		}
	}
}
