package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// stamp is the version that whoever built the program gave it, in place of what Go knows:
// go build -ldflags "-X throughline/cmd/throughline/cli.stamp=v1.2.0". Tests give theirs,
// so that it stands in verdicts whichever commit is tested.
var stamp string

// VersionLine is what --version prints: "throughline v1.2.0 (0123456789ab,
// modified) go1.25.0 linux/amd64".
func VersionLine(program string) string {
	info, known := debug.ReadBuildInfo()
	return versionLine(program, stamp, info, known)
}

func versionLine(program, stamp string, info *debug.BuildInfo, known bool) string {
	line := program + " "
	switch {
	case stamp != "":
		line += stamp
	case known:
		line += info.Main.Version
	default:
		line += "unknown"
	}
	if !known {
		return line + " " + platformOf()
	}
	var commit []string
	if revision := setting(info, "vcs.revision"); revision != "" {
		commit = append(commit, revision[:min(12, len(revision))])
		if setting(info, "vcs.modified") == "true" {
			commit = append(commit, "modified")
		}
		if at := setting(info, "vcs.time"); at != "" {
			commit = append(commit, at)
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
