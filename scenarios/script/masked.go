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
var errMask = errors.New("env: its values cannot be kept out of the record: write each variable on a line of its own, like LOG_LEVEL: debug")

// Secrets are the values of all variables of `env:`, those of versions that are deployed too.
func (s Scenario) Secrets() []string { return SecretsOf(s.Webs()) }

// SecretsOf are the values of all variables that versions of the application are told, each once.
func SecretsOf(versions []Web) []string {
	var values []string
	for _, w := range versions {
		values = slices.AppendSeq(values, maps.Values(w.Env))
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// Masked is the file's source with every value of `env:` replaced by [Mask], because passwords and keys are told to
// programs that way. Names stay, and so do the lines of all that comes behind; comments within `env:` go. What is left
// is a scenario like the other, but for these values.
func (s Scenario) Masked() ([]byte, error) {
	if len(s.Secrets()) == 0 {
		return s.Source, nil
	}
	all, ok := s.environments()
	if !ok {
		return nil, errMask
	}
	source := slices.Clone(s.Source)
	for _, env := range slices.Backward(all) { // what comes before it stays where it is
		source = slices.Concat(source[:env.from], env.masked(source[env.from:env.to]), source[env.to:])
	}
	if !s.onlyMasked(source) {
		return nil, errMask
	}
	return source, nil
}

// environment is what stands in a source between the colon behind `env` and what follows its values.
type environment struct {
	from, to int
	names    []string // of the variables
}

// masked is an environment without values.
func (env environment) masked(gone []byte) []byte {
	var b bytes.Buffer
	b.WriteString(" {")
	for i, name := range env.names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + `: "` + Mask + `"`)
	}
	b.WriteString("}")
	if lines := bytes.Count(gone, []byte("\n")); lines > 0 {
		b.WriteString(strings.Repeat("\n", lines))
		if end := gone[bytes.LastIndexByte(gone, '\n')+1:]; len(bytes.TrimSpace(end)) == 0 {
			b.Write(end) // what indents the next key
		}
	}
	return b.Bytes()
}

// onlyMasked tells whether a source is that of the scenario with its environments masked.
func (s Scenario) onlyMasked(source []byte) bool {
	again, err := Parse(s.File, source, Options{Ran: true})
	if err != nil || len(again.Checks) != len(s.Checks) || len(again.Phases) != len(s.Phases) {
		return false
	}
	return slices.EqualFunc(s.Webs(), again.Webs(), func(was, is Web) bool {
		return was.Version == is.Version && maps.EqualFunc(was.Env, is.Env, func(_, value string) bool { return value == Mask })
	})
}

// environments finds every `env` of the source that is read: those of the stack, and those of versions that steps deploy.
func (s Scenario) environments() (all []environment, ok bool) {
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(s.Source, []byte(byteOrderMark))))
	file, err := parse(tokens)
	if err != nil || len(file.Docs) == 0 {
		return nil, false
	}
	for _, holder := range holders(file.Docs[0].Body) {
		key, values := entry(holder, "env")
		if key == nil {
			continue
		}
		env, ok := s.environment(key, values)
		if !ok {
			return nil, false
		}
		all = append(all, env)
	}
	slices.SortFunc(all, func(a, b environment) int { return a.from - b.from })
	return all, len(all) > 0
}

// holders are the mappings of a file that may have an `env`.
func holders(root ast.Node) (all []ast.Node) {
	below := func(node ast.Node, path ...string) ast.Node {
		for _, name := range path {
			_, node = entry(node, name)
		}
		return node
	}
	items := func(node ast.Node) []ast.Node {
		if list, ok := node.(*ast.SequenceNode); ok {
			return list.Values
		}
		return []ast.Node{node}
	}
	all = append(all, below(root, "stack", "web"))
	if roles, ok := below(root, "stack", "roles").(*ast.MappingNode); ok {
		for _, role := range roles.Values {
			all = append(all, role.Value)
		}
	}
	for _, phase := range items(below(root, "phases")) {
		for _, step := range items(below(phase, "do")) {
			all = append(all, below(step, Deploy{}.Kind()))
		}
	}
	return all
}

// environment gives the place of the values behind a key.
func (s Scenario) environment(key *token.Token, values ast.Node) (env environment, ok bool) {
	if m, is := values.(*ast.MappingNode); is {
		for _, e := range m.Values {
			env.names = append(env.names, plain(e.Key))
		}
		slices.Sort(env.names)
	}
	colon := key.Next
	if colon == nil || colon.Type != token.MappingValueType {
		return env, false
	}
	if env.from, ok = s.offset(colon, ":"); !ok {
		return env, false
	}
	env.from++
	next := after(key, colon)
	if next == nil {
		env.to = len(s.Source)
		return env, true
	}
	env.to, ok = s.offset(next, next.Value)
	return env, ok && env.to >= env.from
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
		case token.SequenceEntryType:
			if depth == 0 && t.Position.Column < key.Position.Column {
				return t
			}
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
