package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// VersionLine is what --version prints: "throughline v1.2.0 (0123456789ab,
// modified) go1.25.0 linux/amd64".
func VersionLine(program string) string {
	info, known := debug.ReadBuildInfo()
	return versionLine(program, info, known)
}

func versionLine(program string, info *debug.BuildInfo, known bool) string {
	line := program + " "
	if !known {
		return line + "unknown " + platformOf()
	}
	line += info.Main.Version
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

// Version is what a record calls this program: the commit it was built from, or
// the module's version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if revision := setting(info, "vcs.revision"); revision != "" {
		return revision[:min(12, len(revision))]
	}
	return info.Main.Version
}
