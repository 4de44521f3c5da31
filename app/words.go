package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"
)

// Word is one document.
type Word struct {
	Name  string `bson:"name" json:"name"`
	Count int64  `bson:"count" json:"count,omitempty"` // 0 = not known, see Words.Insert
}

// Words is where the app keeps its words. Its methods may be called by several
// goroutines at once.
type Words interface {
	// Insert adds one to the count of name, which begins at 0. An error means
	// that nobody knows whether it did. The word it returns was read
	// afterwards, so it may include what others inserted; if it could not be
	// read, its count is 0.
	Insert(ctx context.Context, name string) (Word, error)
	// Get returns one word, or ErrNoWord.
	Get(ctx context.Context, name string) (Word, error)
	// List returns up to limit words by name.
	List(ctx context.Context, limit int) ([]Word, error)
	// Top returns up to limit words, the highest count first.
	Top(ctx context.Context, limit int) ([]Word, error)
	// Close ends the connection.
	Close(ctx context.Context) error
}

// ErrNoWord is returned for a word that was never inserted.
var ErrNoWord = errors.New("no such word")

// maxName is the longest word in bytes. MongoDB allows an index entry far more
// than that; a word is no place for files.
const maxName = 256

// parseName reads the path segment of a word.
func parseName(segment string) (string, error) {
	name, err := url.PathUnescape(segment)
	switch {
	case err != nil:
		return "", fmt.Errorf("word: %w", err)
	case name == "":
		return "", errors.New("word: empty")
	case len(name) > maxName:
		return "", fmt.Errorf("word: %d bytes, at most %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return "", errors.New("word: not UTF-8")
	}
	return name, nil
}
