package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release is one set of archives.
type release struct {
	dir     string
	version string // empty: git tells
	targets []string
	say     func(format string, args ...any)

	at     time.Time // of every file: of the commit, or SOURCE_DATE_EPOCH
	commit string    // in full; empty: there is no git
	work   string    // a directory for what is built
}

const program = "throughline"

var (
	targetForm  = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+$`)
	versionForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)
)

// make makes all, in the checkout that is the working directory.
func (r *release) make(ctx context.Context) (err error) {
	for _, t := range r.targets {
		if !targetForm.MatchString(t) {
			return fmt.Errorf("-targets: %q is no platform, like linux/amd64", t)
		}
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	if err := toldIn(r.version, "CHANGELOG.md"); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "throughline-release-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.work)) }()
	if err := r.empty(); err != nil {
		return err
	}
	docs, err := r.documents(ctx)
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		if err := r.target(ctx, t, docs); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	return r.sums()
}

// identify finds the version and the time of the source.
func (r *release) identify(ctx context.Context) error {
	var err error
	if r.version == "" {
		if r.version, err = output(ctx, nil, "git", "describe", "--tags", "--match", "v[0-9]*", "--always", "--dirty"); err != nil {
			return fmt.Errorf("the version: %w; give -version where there is no git", err)
		}
	}
	if !versionForm.MatchString(r.version) {
		return fmt.Errorf("-version %q: want letters, digits, '.', '_', '+' and '-', like v1.2.0", r.version)
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		if epoch, err = output(ctx, nil, "git", "log", "-1", "--format=%ct"); err != nil {
			return fmt.Errorf("the time of the source: %w; give SOURCE_DATE_EPOCH where there is no git", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH %s: want seconds since 1970", epoch)
	}
	r.at = time.Unix(seconds, 0).UTC()
	if r.commit, err = output(ctx, nil, "git", "rev-parse", "HEAD"); err != nil {
		r.say("no commit is told: %v", err)
	}
	return nil
}

// empty makes the directory, without what an earlier release left there. It removes nothing else.
func (r *release) empty() error {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	for _, pattern := range []string{program + "-*.tar.gz", program + "-*.cdx.json", sumsFile} {
		old, err := filepath.Glob(filepath.Join(r.dir, pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// build builds the program for a platform.
func (r *release) build(ctx context.Context, goos, goarch string) (path string, err error) {
	path = filepath.Join(r.work, goos+"-"+goarch)
	if _, err := os.Stat(path); err == nil { // for its pages
		return path, nil
	}
	// Of some checkouts Go finds the commit itself, and of others not, such as git's worktrees: it is told.
	const own = " -X throughline/cmd/throughline/cli."
	stamps := own + "stamp=" + r.version
	if r.commit != "" {
		stamps += own + "commit=" + r.commit + own + "committed=" + r.at.Format(time.RFC3339)
	}
	_, err = output(ctx, []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"},
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"+stamps, "-o", path, "./cmd/throughline")
	return path, err
}

// documents are manual pages and completions, from the program as it is built for this machine, and what lies beside it.
func (r *release) documents(ctx context.Context) ([]file, error) {
	r.say("%s for this machine, which writes its pages", program)
	self, err := r.build(ctx, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	var all []file
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		all = append(all, file{name: name, from: name})
	}
	for shell, name := range map[string]string{"bash": program + ".bash", "zsh": "_" + program, "fish": program + ".fish"} {
		text, err := output(ctx, nil, self, "completion", shell)
		if err != nil {
			return nil, err
		}
		all = append(all, file{name: "completions/" + name, text: []byte(text + "\n")})
	}
	pages := filepath.Join(r.work, "man")
	if _, err := output(ctx, []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.at.Unix(), 10)}, self, "man", pages); err != nil {
		return nil, err
	}
	made, err := filepath.Glob(filepath.Join(pages, "*.1"))
	if err != nil || len(made) == 0 {
		return nil, fmt.Errorf("%s man wrote no page: %w", program, err)
	}
	for _, page := range made {
		all = append(all, file{name: "man/man1/" + filepath.Base(page), from: page})
	}
	return all, nil
}

// target makes the archive of a platform, and its bill of materials.
func (r *release) target(ctx context.Context, target string, docs []file) error {
	goos, goarch, _ := strings.Cut(target, "/")
	name := fmt.Sprintf("%s-%s-%s-%s", program, strings.TrimPrefix(r.version, "v"), goos, goarch)
	r.say("%s", name)
	binary, err := r.build(ctx, goos, goarch)
	if err != nil {
		return err
	}
	files := append(slices.Clone(docs), file{name: program, from: binary, executable: true})
	if err := pack(filepath.Join(r.dir, name+".tar.gz"), name, files, r.at); err != nil {
		return err
	}
	bill, err := billOf(binary, r.version, r.commit, r.at)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, name+".cdx.json"), bill, 0o644)
}

const sumsFile = "SHA256SUMS"

// sums writes the checksums of all that was made, as sha256sum --check reads them.
func (r *release) sums() error {
	var all []string
	for _, pattern := range []string{"*.tar.gz", "*.cdx.json"} {
		some, err := filepath.Glob(filepath.Join(r.dir, program+"-"+pattern))
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	var out bytes.Buffer
	for _, path := range all {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(content), filepath.Base(path))
	}
	return os.WriteFile(filepath.Join(r.dir, sumsFile), out.Bytes(), 0o644)
}

// output is what a command says, without the last line's end; what it complains of is in the error.
func output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}
