//go:build !linux

package docstore

import "math"

// freeOn takes the file system for endless; a write that finds no room is refused all the same.
func freeOn(string) (int64, error) { return math.MaxInt64, nil }
