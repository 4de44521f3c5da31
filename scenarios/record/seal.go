package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
)

// sealed is the kind of the journal's last line. It is no Event: it tells
// nothing of the run, and the judge never sees it.
const sealed Kind = "seal"

// seal is the journal's last line. It has no time and nothing else that could
// be changed unseen. It proves that nobody changed a record by mistake, or one
// place of it on purpose; who may write the whole record may seal it anew.
type seal struct {
	Kind Kind `json:"kind"`
	// SHA256 is the sum of each file that the judge reads, in hexadecimal
	// digits; of the journal that of all bytes before this line.
	SHA256 map[string]string `json:"sha256"`
	// Sum is that of SHA256 as it stands in the line: a seal that is broken is
	// not taken for a broken file.
	Sum string `json:"sum"`
}

// parts are the files that a seal covers, the journal aside. What is made of a
// record (verdict, reports) and what the instances wrote (logs) is no part.
var parts = []string{ScenarioFile, UsersFile, ExecutionsFile, PassagesFile, BeaconsFile, ArrivalsFile, SeriesFile, PointsFile, BeforeFile, AfterFile}

func newSum() hash.Hash { return sha256.New() }

func hexDigits(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// line is how the seal stands in the journal.
func (s seal) line() ([]byte, error) {
	sums, err := json.Marshal(s.SHA256) // sorted by name
	if err != nil {
		return nil, err
	}
	h := newSum()
	h.Write(sums)
	s.Sum = hexDigits(h)
	line, err := json.Marshal(s)
	return append(line, '\n'), err
}

// sealPrefix begins a line of the journal that is a seal, or was one.
var sealPrefix = []byte(`{"kind":"seal"`)

// parseSeal takes a line only as Writer writes it, to the byte: no second key of a
// name, no blank, no key that it does not know.
func parseSeal(line []byte) (seal, error) {
	var s seal
	if err := decodeStrictly(line, &s); err != nil {
		return seal{}, fmt.Errorf("the seal: %w", err)
	}
	for name := range s.SHA256 {
		if name != JournalFile && !slices.Contains(parts, name) {
			return seal{}, fmt.Errorf("the seal: %.100q is no file of a record", name)
		}
	}
	if again, err := s.line(); err != nil || !bytes.Equal(again, line) {
		return seal{}, errors.New("the seal is not as the run wrote it")
	}
	return s, nil
}

// decodeStrictly reads one JSON value that has no key but those of into, and nothing
// behind it but white space.
func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if err == io.EOF {
			err = errors.New("it is empty")
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind its end")
	}
	return nil
}
