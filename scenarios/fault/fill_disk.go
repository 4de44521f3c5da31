package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"throughline/compose/owndisk"
)

// FillDisk fills the file system on which the database has its data, so that the kernel refuses it every further block
// (ENOSPC), until it is healed.
type FillDisk struct {
	Name string                 // of the database's instance
	Dir  func() (string, error) // on its file system, as this process sees it
}

// fillName is the file that fills it.
const fillName = "filled-by-throughline"

// Possible refuses to fill a file system that is not the database's own.
func (f FillDisk) Possible() error {
	_, err := f.dir()
	return err
}

func (f FillDisk) dir() (string, error) {
	dir, err := f.Dir()
	if err == nil {
		err = owndisk.Fillable(dir)
	}
	if err != nil {
		return "", fmt.Errorf("fill-disk: %w", err)
	}
	return dir, nil
}

// Inject returns when the kernel has refused another byte.
func (f FillDisk) Inject(ctx context.Context) (Heal, error) {
	dir, err := f.dir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fillName)
	blocks, err := fillWith(ctx, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fill-disk: %w", err), remove(path))
	}
	return func(context.Context) (Touched, error) { return Touched{f.Name: blocks}, remove(path) }, nil
}

// fillBlock is what is written at once: a page, the least that such a file system gives.
const fillBlock = 4 << 10

// fillWith writes into a file until the file system is full, and tells how many blocks that took.
func fillWith(ctx context.Context, path string) (blocks int64, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	block := make([]byte, fillBlock)
	for ctx.Err() == nil {
		if _, err := file.Write(block); errors.Is(err, syscall.ENOSPC) {
			return blocks, nil
		} else if err != nil {
			return blocks, err
		}
		blocks++
	}
	return blocks, ctx.Err()
}

// remove removes a file, if it is there. A database that was killed took its file system with it.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
