package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// released is a version that is a tag, not a commit on the way to one.
var released = regexp.MustCompile(`^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)$`)

// described is a tag with what came after it, as git describes a commit: "v1.2.0-14-g0123456".
var described = regexp.MustCompile(`-\d+-g[0-9a-f]+(?:-dirty)?$|-dirty$`)

// told refuses to release what the changelog says nothing of: a version has a section with its date, and what is on the way to
// one has something in Unreleased.
// Source: https://keepachangelog.com/en/1.1.0/
func told(version, changelog string) error {
	head := regexp.MustCompile(`(?m)^## \[Unreleased\]$`)
	want := "## [Unreleased]"
	if m := released.FindStringSubmatch(version); m != nil && !described.MatchString(version) {
		head = regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(m[1]) + `\] - \d{4}-\d{2}-\d{2}$`)
		want = "## [" + m[1] + "] - YEAR-MONTH-DAY"
	}
	at := head.FindStringIndex(changelog)
	if at == nil {
		return fmt.Errorf("CHANGELOG.md: no section %q: say what %s changes", want, version)
	}
	section, _, _ := strings.Cut(changelog[at[1]:], "\n## ")
	if !regexp.MustCompile(`(?m)^- \S`).MatchString(section) {
		return fmt.Errorf("CHANGELOG.md: the section %q is empty: say what %s changes", want, version)
	}
	return nil
}

// toldIn is told of a file.
func toldIn(version, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return told(version, string(text))
}
