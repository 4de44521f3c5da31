package docstore

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// leastRoom is how much room the file system must have so that writes are taken: as much as the largest transaction may need,
// of maxBatch commands that change a page each. What is refused for want of room is refused as a whole, and before
// anything was written. Others keep such a limit too, as RabbitMQ does (disk_free_limit).
const leastRoom = maxBatch * 4 << 10

// errFull is the error of writes that are refused until there is room again.
var errFull = errors.New("the disk is full: no write is taken until there is room again")

// room refuses writes where the file system has no room for them.
func (s *Store) room() error {
	free, err := s.free()
	if err == nil && free < leastRoom {
		err = fmt.Errorf("%w (%d bytes are free, and %d are wanted)", errFull, free, int64(leastRoom))
	}
	return err
}

// asFull tells apart a commit that found no room for its pages from one of which nobody knows what the disk holds. The pages of
// a transaction are written before the one that makes it valid, so that the state before it is whole, and it was
// rolled back. That a sync has failed says nothing like that.
func asFull(err error) (error, bool) {
	if write := new(fs.PathError); errors.As(err, &write) && errors.Is(write, syscall.ENOSPC) {
		return fmt.Errorf("%w: %w", errFull, err), true
	}
	return err, false
}
