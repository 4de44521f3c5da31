package script

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The YAML parser recurses for every level and for every key, and its time grows with the square of the keys of one
// mapping: a file of a megabyte can be made to cost minutes and gigabytes. These bounds are checked before it runs.
const (
	mostTokens = 60_000 // a scenario at all its other limits has fewer
	mostDepth  = 16     // of { } and [ ]
	lastColumn = 200    // where a block's "-" or ":" may stand at most; it bounds the depth of blocks
)

// documentName is what errors call the file itself.
const documentName = "the file"

// tree reads the file as YAML and gives its one document. It knows nothing about scenarios.
func (r *reader) tree(source []byte) (value, bool) {
	start := Pos{File: r.file, Line: 1, Column: 1}
	if len(source) > MaxBytes {
		r.failf(start, "the file is larger than %d bytes: a scenario is a page of text", MaxBytes)
		return value{}, false
	}
	source, ok := r.characters(source)
	if !ok {
		return value{}, false
	}
	tokens := lexer.Tokenize(string(source))
	if !r.refuse(tokens) {
		return value{}, false
	}
	file, err := parse(tokens)
	if err != nil {
		r.syntax(err)
		return value{}, false
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			v := r.value(documentName, doc.Body, start)
			return v, true
		}
	}
	r.failf(start, "the file is empty: want a scenario that begins with the line \"scenario: NAME\"")
	return value{}, false
}

// parse calls the YAML parser. Its input is anybody's text and its code is not ours, so a panic in it becomes an error.
func parse(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("the YAML reader cannot make sense of it (%v)", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // duplicate keys: see mapping, which reports all
}

// characters refuses what no text holds (YAML 1.2.2, section 5.1), with the place, and drops the byte order mark.
func (r *reader) characters(source []byte) ([]byte, bool) {
	if bytes.HasPrefix(source, []byte("\xff\xfe")) || bytes.HasPrefix(source, []byte("\xfe\xff")) {
		r.failf(Pos{r.file, 1, 1}, "the file is UTF-16: want UTF-8, save it as that")
		return nil, false
	}
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	at := Pos{r.file, 1, 1}
	for rest := source; len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		switch {
		case c == utf8.RuneError && size <= 1:
			r.failf(at, "the byte 0x%02x is not UTF-8 text: want a YAML file in UTF-8", rest[0])
			return nil, false
		case !printable(c) && c != '\n' && c != '\r':
			r.failf(at, "the character %U has no place in a scenario: remove it", c)
			return nil, false
		}
		rest = rest[size:]
		at.Column++
		if c == '\n' || c == '\r' && !bytes.HasPrefix(rest, []byte("\n")) {
			at = Pos{r.file, at.Line + 1, 1}
		}
	}
	return source, true
}

// printable says whether the character may stand in a line: what YAML allows there, without the marks that are line
// breaks to some readers and text to others.
func printable(c rune) bool {
	switch {
	case c == '\t', c >= ' ' && c <= '~':
		return true
	case c == 0x2028, c == 0x2029, c == 0xFEFF, c == 0xFFFE, c == 0xFFFF:
		return false
	}
	return c >= 0xA0
}

// refuse reports the parts of YAML that the language does without, all of them, and what is out of bounds.
func (r *reader) refuse(tokens token.Tokens) bool {
	before := len(r.errs)
	var open []*token.Token // the brackets that are not closed yet
	begun, ended, count := false, false, 0
	for _, t := range tokens {
		at := r.at(t)
		if t.Type == token.CommentType {
			continue
		}
		if count++; count > mostTokens {
			r.failf(at, "the file holds more than %d keys, values and marks: too much for a scenario", mostTokens)
			return false
		}
		if ended || begun && t.Type == token.DocumentHeaderType {
			r.failf(at, "a second document begins here: want one scenario per file")
			return false
		}
		begun = true
		ended = t.Type == token.DocumentEndType
		switch t.Type {
		case token.InvalidType:
			return len(r.errs) == before // the parser says what is wrong with it
		case token.MappingStartType, token.SequenceStartType:
			open = append(open, t)
		case token.MappingEndType, token.SequenceEndType:
			open = open[:max(0, len(open)-1)]
		case token.DirectiveType:
			r.failf(at, "directives (%%) are not part of the language: remove the line, or quote text that begins so")
			return false
		case token.SequenceEntryType:
			if len(open) > 0 {
				r.failf(at, "\"-\" within the %s of line %d: close it first, or quote text that begins so", open[0].Value, r.at(open[0]).Line)
				return false
			}
		}
		r.refuseToken(t)
		if len(open) > mostDepth || len(open) == 0 && indicator(t) && at.Column > lastColumn {
			r.failf(at, "nested too deeply, or a key too long: want at most %d brackets in each other and no key beyond column %d", mostDepth, lastColumn)
			return false
		}
	}
	return len(r.errs) == before
}

func (r *reader) refuseToken(t *token.Token) {
	switch t.Type {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		r.failf(r.at(t), "anchors, aliases and merge keys (& * <<) are not part of the language: write the value out, or quote text that begins so")
	case token.TagType:
		r.failf(r.at(t), "tags (!) are not part of the language: write the plain value, or quote text that begins so")
	case token.MappingKeyType:
		r.failf(r.at(t), "keys that begin with \"?\" are not part of the language: write key: value")
	}
}

// indicator says whether a token opens a level of a block.
func indicator(t *token.Token) bool {
	return t.Type == token.SequenceEntryType || t.Type == token.MappingValueType
}

func (r *reader) syntax(err error) {
	at, message := Pos{r.file, 1, 1}, err.Error()
	var e *yaml.SyntaxError
	if errors.As(err, &e) {
		at, message = r.at(e.Token), e.Message
	}
	message = strings.ReplaceAll(message, "\t", `\t`)
	hint := ""
	switch {
	case strings.Contains(message, `\t`):
		hint = " (indent with spaces, not with tabs)"
	case strings.Contains(message, "flow"), strings.Contains(message, "must be specified"):
		hint = " (within { } and [ ], text that holds { } [ ] or a comma must be quoted)"
	}
	r.failf(at, "not YAML: %s%s", strings.Join(strings.Fields(message), " "), hint)
}

// at gives a token's place; the parser leaves it out of some of its errors.
func (r *reader) at(t *token.Token) Pos {
	if t == nil || t.Position == nil {
		return Pos{r.file, 1, 1}
	}
	return Pos{r.file, max(1, t.Position.Line), max(1, t.Position.Column)}
}
