// Package image packs one static program as a container image, in the form that `docker save` has and `ctr images import`
// reads, so that a cluster needs neither a Docker engine nor a registry for its own. It runs nothing; the command line
// packs the pause image with it, and tests pack their programs.
//
// The form is https://github.com/moby/docker-image-spec/blob/main/v1.2.md.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Write writes the image NAME:TAG whose only file is a program, /main, which is also what it starts. The same program
// gives the same bytes.
func Write(to io.Writer, name, program string) error {
	code, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	var layer bytes.Buffer
	if err := pack(&layer, file{"main", 0o755, code}); err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{"/main"}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer.Bytes())}},
	})
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": digest(config) + ".json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	err = pack(to, file{"layer.tar", 0o644, layer.Bytes()}, file{digest(config) + ".json", 0o644, config}, file{"manifest.json", 0o644, manifest})
	if err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	return nil
}

type file struct {
	name string
	mode int64
	data []byte
}

func pack(to io.Writer, files ...file) error {
	archive := tar.NewWriter(to)
	for _, f := range files {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return err
		}
		if _, err := archive.Write(f.data); err != nil {
			return err
		}
	}
	return archive.Close()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
