package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var then = time.Unix(1_700_000_000, 0).UTC()

// The same contents make the same bytes, whenever files were written, whoever owns them, and however they were collected.
func TestPackDependsOnContentsAlone(t *testing.T) {
	dir := t.TempDir()
	of := func(name string, mode os.FileMode, at time.Time) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("content"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	archive := func(name string, files ...file) []byte {
		path := filepath.Join(dir, name)
		if err := pack(path, "folder", files, then); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	one := archive("one.tar.gz", file{name: "b", from: of("x", 0o600, then), executable: true}, file{name: "a", text: []byte("text")})
	two := archive("two.tar.gz", file{name: "a", text: []byte("text")}, file{name: "b", from: of("y", 0o644, time.Now()), executable: true})
	if !bytes.Equal(one, two) {
		t.Error("the same contents make different archives")
	}
	if bytes.Equal(one, archive("three.tar.gz", file{name: "a", text: []byte("text")}, file{name: "b", from: of("z", 0o644, then)})) {
		t.Error("whether a file can be executed makes no difference")
	}
	if got := contents(t, one); got["folder/a"] != "text" || got["folder/b"] != "content" || len(got) != 2 {
		t.Errorf("the archive has %v", got)
	}
	if err := pack(filepath.Join(dir, "none.tar.gz"), "folder", []file{{name: "a", from: filepath.Join(dir, "absent")}}, then); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func contents(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	if !unzipped.ModTime.IsZero() || unzipped.Name != "" {
		t.Errorf("the compression tells %v and %q", unzipped.ModTime, unzipped.Name)
	}
	got := map[string]string{}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(then) || h.Uid != 0 || h.Gid != 0 || h.Mode&^0o755 != 0 {
			t.Errorf("%s is of %v, %d:%d, %o", h.Name, h.ModTime, h.Uid, h.Gid, h.Mode)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(text)
	}
}

// The bill of this test's own binary has what is linked into it, and nothing of the time at which it was asked for.
func TestBill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bill, err := billOf(self, "v1.2.0", "0123456", then)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		BomFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(bill, &got); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(bill), `"value": "0123456"`) {
		t.Error("the bill does not tell the commit")
	}
	if got.BomFormat != "CycloneDX" || got.SpecVersion != "1.6" || got.SerialNumber != "" || got.Metadata.Timestamp != "2023-11-14T22:13:20Z" || got.Metadata.Component.Version != "v1.2.0" {
		t.Errorf("%+v", got)
	}
	var names []string
	for _, c := range got.Components {
		names = append(names, c.Name)
		if c.Name == "std" && c.PURL != "pkg:golang/std@"+runtime.Version() {
			t.Errorf("Go is %+v", c)
		}
	}
	if !slices.Contains(names, "std") {
		t.Errorf("no Go among %v", names)
	}
	if _, err := billOf(filepath.Join(t.TempDir(), "absent"), "v1", "", then); err == nil {
		t.Error("a binary that is not there has a bill")
	}
}

// The version that this checkout would be released as has its section.
func TestTheChangelogTellsOfThisVersion(t *testing.T) {
	version, err := output(t.Context(), nil, "git", "-C", "..", "describe", "--tags", "--match", "v[0-9]*", "--always", "--dirty")
	if err != nil {
		t.Logf("no git, so what is not released yet is asked for: %v", err)
		version = "v0.0.0-1-g0000000"
	}
	if err := toldIn(version, "../CHANGELOG.md"); err != nil {
		t.Error(err)
	}
}

func TestTold(t *testing.T) {
	const both = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- This.\n\n## [1.2.0] - 2026-01-02\n\n- That.\n"
	for _, c := range []struct{ version, changelog, want string }{
		{"v1.2.0", both, ""},
		{"v1.2.0-14-g0123456", both, ""},
		{"v1.2.0-dirty", both, ""},
		{"0123456", both, ""},
		{"v1.3.0", both, `no section "## [1.3.0] - YEAR-MONTH-DAY"`},
		{"v1.2.0-rc.1", both, `no section "## [1.2.0-rc.1] - YEAR-MONTH-DAY"`},
		{"v1x2x0", both, ""},
		{"v1.2.0-14-g0123456", "## [1.2.0] - 2026-01-02\n\n- That.\n", `no section "## [Unreleased]"`},
		{"v1.2.0", "## [1.2.0]\n\n- Without a date.\n", "no section"},
		{"0123456", "## [Unreleased]\n\n## [1.2.0] - 2026-01-02\n\n- That.\n", `the section "## [Unreleased]" is empty`},
	} {
		err := told(c.version, c.changelog)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.version, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for want, r := range map[string]release{
		`-targets: "linux" is no platform`: {targets: []string{"linux"}},
		`-version "a b": want letters`:     {version: "a b"},
	} {
		if err := r.make(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (&release{version: "v99.0.0", targets: []string{"linux/amd64"}, say: t.Logf}).make(t.Context()); err == nil || !strings.Contains(err.Error(), "CHANGELOG.md") {
		t.Errorf("a version that the changelog does not know: %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "now")
	if err := (&release{version: "v1"}).make(t.Context()); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH now: want seconds") {
		t.Errorf("%v", err)
	}
}

// A release of this machine's platform, made twice, is the same to the byte, and has what it must. It compiles everything
// anew, so it is among the tests of `make test-all`.
func TestAReleaseIsReproducible(t *testing.T) {
	if os.Getenv("THROUGHLINE_TESTS") != "all" {
		t.Skip("compiles everything: THROUGHLINE_TESTS=all")
	}
	t.Chdir("..")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var made []map[string][]byte
	for range 2 {
		r := release{dir: t.TempDir(), version: "v0.0.0-1-g0000000", targets: []string{runtime.GOOS + "/" + runtime.GOARCH}, say: t.Logf}
		if err := r.make(context.Background()); err != nil {
			t.Fatal(err)
		}
		all := map[string][]byte{}
		entries, err := os.ReadDir(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			content, err := os.ReadFile(filepath.Join(r.dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[e.Name()] = content
		}
		made = append(made, all)
	}
	name := "throughline-0.0.0-1-g0000000-" + runtime.GOOS + "-" + runtime.GOARCH
	for _, file := range []string{name + ".tar.gz", name + ".cdx.json", sumsFile} {
		if one, two := made[0][file], made[1][file]; len(one) == 0 || !bytes.Equal(one, two) {
			t.Errorf("%s: %d bytes, and then %d others", file, len(one), len(two))
		}
	}
	got := contents(t, made[0][name+".tar.gz"])
	for _, file := range []string{"throughline", "LICENSE", "README.md", "CHANGELOG.md", "man/man1/throughline.1", "man/man1/throughline-run.1", "completions/throughline.bash", "completions/_throughline", "completions/throughline.fish"} {
		if got[name+"/"+file] == "" {
			t.Errorf("the archive has no %s", file)
		}
	}
}
