package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"time"
)

// file is one in an archive: of a file, or of a text.
type file struct {
	name, from string
	text       []byte
	executable bool
}

// pack writes files below one folder into an archive that depends on nothing but their names and contents, and one time.
func pack(archive, folder string, files []file, at time.Time) (err error) {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zipped, err := gzip.NewWriterLevel(f, gzip.BestCompression) // no name and no time in its header
	if err != nil {
		return err
	}
	t := tar.NewWriter(zipped)
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	for _, one := range files {
		if err := one.add(t, folder, at); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), zipped.Close())
}

// add writes one file, which belongs to root and which all may read.
func (f file) add(t *tar.Writer, folder string, at time.Time) error {
	content := f.text
	if f.from != "" {
		var err error
		if content, err = os.ReadFile(f.from); err != nil {
			return err
		}
	}
	mode := int64(0o644)
	if f.executable {
		mode = 0o755
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(folder, f.name), Size: int64(len(content)), Mode: mode, ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err := io.Copy(t, bytes.NewReader(content))
	return err
}
