package cli

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// stamp is the version that whoever built the program gave it, in place of what Go knows:
// go build -ldflags "-X throughline/cmd/throughline/cli.stamp=v1.2.0". A release gives the tag, tests give theirs,
// so that it stands in verdicts whichever commit is tested.
var stamp string

// commit and committed are the commit that a release is of, and its time (RFC 3339), given in the same way: Go itself tells them
// of some checkouts and not of others, and the same commit is to give the same program.
var commit, committed string

// VersionLine is what --version prints: "throughline v1.2.0 (0123456789ab,
// modified) go1.25.0 linux/amd64".
func VersionLine(program string) string {
	info, known := debug.ReadBuildInfo()
	return versionLine(program, stamp, released(info), known)
}

func versionLine(program, stamp string, info *debug.BuildInfo, known bool) string {
	b := build(stamp, info, known)
	line := program + " " + b.Version
	var commit []string
	if b.Commit != "" {
		commit = append(commit, b.Commit[:min(12, len(b.Commit))])
		if b.Modified {
			commit = append(commit, "modified")
		}
		if b.Date != "" {
			commit = append(commit, b.Date)
		}
	}
	if len(commit) > 0 {
		line += " (" + strings.Join(commit, ", ") + ")"
	}
	return line + " " + platformOf()
}

func platformOf() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// Version is what records and verdicts call this program: the version it was given, the
// commit it was built from, or the module's version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	return version(stamp, info, ok)
}

func version(stamp string, info *debug.BuildInfo, known bool) string {
	switch {
	case stamp != "":
		return stamp
	case !known:
		return "unknown"
	}
	if revision := setting(info, "vcs.revision"); revision != "" {
		return revision[:min(12, len(revision))]
	}
	return info.Main.Version
}

// Build is which build of the program this is.
type Build struct {
	Version  string `json:"version"` // as VersionLine has it
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // by what was in no commit
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// ThisBuild is the build of this program.
func ThisBuild() Build {
	info, known := debug.ReadBuildInfo()
	return build(stamp, released(info), known)
}

// released puts in what a release was given.
func released(info *debug.BuildInfo) *debug.BuildInfo {
	if info == nil || commit == "" {
		return info
	}
	with := *info
	with.Settings = append([]debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.time", Value: committed},
		{Key: "vcs.modified", Value: strconv.FormatBool(strings.HasSuffix(stamp, "-dirty"))}}, info.Settings...)
	return &with
}

func build(stamp string, info *debug.BuildInfo, known bool) Build {
	b := Build{Version: stamp, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if known {
		b.Commit, b.Date, b.Modified = setting(info, "vcs.revision"), setting(info, "vcs.time"), setting(info, "vcs.modified") == "true"
	}
	switch {
	case stamp != "":
	case known:
		b.Version = info.Main.Version
	default:
		b.Version = "unknown"
	}
	return b
}
