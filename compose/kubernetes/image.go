package kubernetes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"throughline/compose/kubernetes/inside"
)

// ImageOf names the image that holds a binary and nothing else. Its tag is made of the content. Without a registry it is one
// that nobody can pull, so that no stranger's image takes its place.
func ImageOf(binary, registry string) (string, error) {
	if err := static(binary); err != nil {
		return "", fmt.Errorf("image of %s: %w", binary, err)
	}
	f, err := os.Open(binary)
	if err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("image of %s: %w", binary, err)
	}
	if registry == "" {
		registry = "localhost"
	}
	return registry + "/throughline:" + hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// WriteImage writes the image of a binary under a name as an archive, the same bytes for the same binary, as docker load, ctr images import,
// kind load image-archive and minikube image load take it.
// Source: https://github.com/moby/docker-image-spec/blob/main/v1.2.md, combined image JSON and filesystem changeset format
func WriteImage(to io.Writer, binary, ref string) error {
	fail := func(err error) error { return fmt.Errorf("image %s of %s: %w", ref, binary, err) }
	if err := static(binary); err != nil {
		return fail(err)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return fail(err)
	}
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	dir := files.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, ModTime: epoch})
	if err := errors.Join(dir, write(files, inside.Binary, 0o755, content), files.Close()); err != nil {
		return fail(err)
	}
	sum := sha256.Sum256(layer.Bytes())
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": epoch.UTC(),
		"config": map[string]any{"Entrypoint": []string{imageBinary}, "User": fmt.Sprintf("%d:%[1]d", selfUser)},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return fail(err)
	}
	const configFile, layerFile = "config.json", "layer.tar"
	manifest, err := json.Marshal([]map[string]any{{"Config": configFile, "RepoTags": []string{ref}, "Layers": []string{layerFile}}})
	if err != nil {
		return fail(err)
	}
	all := tar.NewWriter(to)
	if err := errors.Join(write(all, "manifest.json", 0o644, manifest), write(all, configFile, 0o644, config), write(all, layerFile, 0o644, layer.Bytes()), all.Close()); err != nil {
		return fail(err)
	}
	return nil
}

var epoch = time.Unix(0, 0)

func write(to *tar.Writer, name string, mode int64, content []byte) error {
	if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: epoch}); err != nil {
		return err
	}
	_, err := to.Write(content)
	return err
}

// static refuses what cannot run alone in an image.
func static(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("not a program for Linux; build it with GOOS=linux CGO_ENABLED=0: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("needs libraries that an empty image has not; build it with CGO_ENABLED=0")
		}
	}
	return nil
}
