package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// What is named in the image is in it: the manifest's configuration and layer, and the configuration's digest of the layer.
func TestWrite(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	var image, again bytes.Buffer
	if err := errors.Join(Write(&image, "localhost/x:1", program), Write(&again, "localhost/x:1", program)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(image.Bytes(), again.Bytes()) {
		t.Error("the same program gives other bytes")
	}
	files := unpack(t, &image)
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("manifest: %v: %s", err, files["manifest.json"])
	}
	var config struct {
		RootFS struct {
			IDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatalf("configuration: %v", err)
	}
	layer := files[manifest[0].Layers[0]]
	if len(config.RootFS.IDs) != 1 || config.RootFS.IDs[0] != "sha256:"+digest(layer) || manifest[0].RepoTags[0] != "localhost/x:1" {
		t.Errorf("%+v, %+v: not of this layer", manifest, config)
	}
	if got := unpack(t, bytes.NewReader(layer))["main"]; string(got) != "code" {
		t.Errorf("/main is %q", got)
	}
}

func TestWriteNamesTheImage(t *testing.T) {
	err := Write(io.Discard, "localhost/x:1", filepath.Join(t.TempDir(), "nothing"))
	if err == nil || !errors.Is(err, os.ErrNotExist) || err.Error()[:20] != "image localhost/x:1:" {
		t.Errorf("%v", err)
	}
}

func unpack(t *testing.T, from io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(from); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
