package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// selfUser runs this binary: a number, because the image has no list of users.
const selfUser = "65532:65532"

// selfImage gives an image that holds the binary and nothing else. Its tag is the
// binary's content, so it is made once for each build; it is not removed. It is
// imported rather than built: every engine can do that, and faster.
func selfImage(ctx context.Context, c client.APIClient, binary string) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("image of %s: %w", binary, err) }
	if err := Static(binary); err != nil {
		return fail(err)
	}
	f, err := os.Open(binary)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fail(err)
	}
	ref := "throughline-self:" + hex.EncodeToString(sum.Sum(nil))[:16]
	if _, err := c.ImageInspect(ctx, ref); err == nil {
		return ref, nil
	} else if !errdefs.IsNotFound(err) {
		return fail(err)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeRoot(w, f)) }()
	defer r.Close()
	done, err := c.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, ref, client.ImageImportOptions{
		Message: "made from a binary by throughline",
		Changes: []string{
			`ENTRYPOINT ["/throughline"]`, "USER " + selfUser, "LABEL " + Label + "=image",
		},
	})
	if err != nil {
		return fail(err)
	}
	_, err = io.Copy(io.Discard, done)
	if err := errors.Join(err, done.Close()); err != nil {
		return fail(err)
	}
	if _, err := c.ImageInspect(ctx, ref); err != nil {
		return fail(fmt.Errorf("the engine did not take it: %w", err))
	}
	return ref, nil
}

// writeRoot writes the image's file system: the binary, and a place for
// temporary files.
func writeRoot(to io.Writer, binary *os.File) error {
	if _, err := binary.Seek(0, io.SeekStart); err != nil {
		return err
	}
	info, err := binary.Stat()
	if err != nil {
		return err
	}
	w := tar.NewWriter(to)
	epoch := time.Unix(0, 0)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, ModTime: epoch}); err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "throughline", Mode: 0o755, Size: info.Size(), ModTime: epoch}); err != nil {
		return err
	}
	if _, err := io.Copy(w, binary); err != nil {
		return err
	}
	return w.Close()
}

// Static refuses what cannot run alone in an image.
func Static(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("not a program for Linux; build it with GOOS=linux CGO_ENABLED=0, or name an image: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("needs libraries that an empty image has not; build it with CGO_ENABLED=0, or name an image")
		}
	}
	return nil
}
