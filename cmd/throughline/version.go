package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The version of this program, its Go and its platform",
		Args:  noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine(debug.ReadBuildInfo()))
			return err
		},
	}
}

// versionLine is what --version prints: "throughline v1.2.0 (0123456789ab,
// modified) go1.25.0 linux/amd64".
func versionLine(info *debug.BuildInfo, known bool) string {
	line := "throughline "
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

// version is what a record calls this program: the commit it was built from, or
// the module's version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if revision := setting(info, "vcs.revision"); revision != "" {
		return revision[:min(12, len(revision))]
	}
	return info.Main.Version
}
