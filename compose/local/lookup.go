package local

import "throughline/compose"

// Lookup says whether the program's executable is there, without a platform,
// so that everything that is missing can be listed before anything starts.
func Lookup(prog compose.Program) error {
	_, err := (&Platform{}).resolve(prog)
	return err
}
