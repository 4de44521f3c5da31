//go:build !linux

package owndisk

import "errors"

var errNotHere = errors.New("a process can have a file system of its own on Linux only")

// Exec is impossible here.
func Exec(dir string, size int64, path string, args []string) error { return errNotHere }

// Possible says so.
func Possible() error { return errNotHere }

// Fillable says so.
func Fillable(dir string) error { return errNotHere }
