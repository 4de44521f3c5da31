package script

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Mask stands in a record for the value of a variable in `env:`.
const Mask = "***"

// errMask is for a file whose environment stands where it cannot be found again.
var errMask = errors.New("stack.web.env: its values cannot be kept out of the record: write each variable on a line of its own, like LOG_LEVEL: debug")

// Masked is the file's source with every value of `env:` replaced by [Mask], because passwords and keys are told to
// programs that way. Names stay, and so do the lines of all that comes behind; comments within `env:` go. What is left
// is a scenario like the other, but for these values.
func (s Scenario) Masked() ([]byte, error) {
	if len(s.Stack.Web.Env) == 0 {
		return s.Source, nil
	}
	from, to, ok := s.environment()
	if !ok {
		return nil, errMask
	}
	var b bytes.Buffer
	b.Write(s.Source[:from])
	b.WriteString(" {")
	for i, name := range slices.Sorted(maps.Keys(s.Stack.Web.Env)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + `: "` + Mask + `"`)
	}
	b.WriteString("}")
	gone := s.Source[from:to]
	if lines := bytes.Count(gone, []byte("\n")); lines > 0 {
		b.WriteString(strings.Repeat("\n", lines))
		if end := gone[bytes.LastIndexByte(gone, '\n')+1:]; len(bytes.TrimSpace(end)) == 0 {
			b.Write(end) // what indents the next key
		}
	}
	b.Write(s.Source[to:])
	if !s.onlyMasked(b.Bytes()) {
		return nil, errMask
	}
	return b.Bytes(), nil
}

// onlyMasked tells whether a source is that of the scenario with its environment masked.
func (s Scenario) onlyMasked(source []byte) bool {
	again, err := Parse(s.File, source, Options{})
	env := again.Stack.Web.Env
	if err != nil || len(env) != len(s.Stack.Web.Env) || len(again.Checks) != len(s.Checks) || len(again.Phases) != len(s.Phases) {
		return false
	}
	for name := range s.Stack.Web.Env {
		if env[name] != Mask {
			return false
		}
	}
	return true
}

// environment gives the bytes between the colon behind `env` and what follows its values.
func (s Scenario) environment() (from, to int, ok bool) {
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(s.Source, []byte(byteOrderMark))))
	file, err := parse(tokens)
	if err != nil || len(file.Docs) == 0 {
		return 0, 0, false
	}
	var key *token.Token
	node := file.Docs[0].Body
	for _, name := range []string{"stack", "web", "env"} {
		if key, node = entry(node, name); key == nil {
			return 0, 0, false
		}
	}
	colon := key.Next
	if colon == nil || colon.Type != token.MappingValueType {
		return 0, 0, false
	}
	if from, ok = s.offset(colon, ":"); !ok {
		return 0, 0, false
	}
	next := after(key, colon)
	if next == nil {
		return from + 1, len(s.Source), true
	}
	to, ok = s.offset(next, next.Value)
	return from + 1, to, ok && to > from
}

// entry finds a key of a mapping, and its value.
func entry(node ast.Node, name string) (*token.Token, ast.Node) {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		return nil, nil
	}
	for _, e := range m.Values {
		if plain(e.Key) == name {
			return e.Key.GetToken(), e.Value
		}
	}
	return nil, nil
}

// after finds the first token behind the value of a key; nil: there is none. A value in brackets ends with them, one in
// lines at the next key that is not indented more.
func after(key, colon *token.Token) *token.Token {
	depth := 0
	for t := colon.Next; t != nil; t = t.Next {
		switch t.Type {
		case token.CommentType:
			continue
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			if depth--; depth == 0 {
				for t = t.Next; t != nil && t.Type == token.CommentType; {
					t = t.Next
				}
				return t
			}
		case token.DocumentEndType:
			return t
		}
		if depth == 0 && t.Next != nil && t.Next.Type == token.MappingValueType && t.Position.Column <= key.Position.Column {
			return t
		}
	}
	return nil
}

const byteOrderMark = "\ufeff"

// offset turns the place of a token into one of Source, and tells whether the token is there.
func (s Scenario) offset(t *token.Token, text string) (int, bool) {
	rest := bytes.TrimPrefix(s.Source, []byte(byteOrderMark))
	for range t.Position.Line - 1 {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return 0, false
		}
		rest = rest[end+1:]
	}
	line := rest
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		line = rest[:end]
	}
	runes := []rune(string(line))
	if at := t.Position.Column - 1; at >= 0 && at <= len(runes) {
		rest = rest[len(string(runes[:at])):]
	}
	return len(s.Source) - len(rest), bytes.HasPrefix(bytes.TrimLeft(rest, `"'`), []byte(text)) // a quoted key begins with its quote
}
