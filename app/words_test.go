package app

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
)

// memory keeps words without a database. err fails every call, enter (where
// set) is called by each Insert before it does anything.
type memory struct {
	mu     sync.Mutex
	counts map[string]int64
	err    error
	enter  func(context.Context)
	closed bool
}

func newMemory() *memory { return &memory{counts: map[string]int64{}} }

// onEnter sets enter while others insert.
func (m *memory) onEnter(enter func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.enter = func(context.Context) { enter() }
}

func (m *memory) Insert(ctx context.Context, name string) (Word, error) {
	m.mu.Lock()
	enter := m.enter
	m.mu.Unlock()
	if enter != nil {
		enter(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.err, ctx.Err()); err != nil {
		return Word{}, err
	}
	m.counts[name]++
	return Word{name, m.counts[name]}, nil
}

func (m *memory) Get(_ context.Context, name string) (Word, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return Word{}, m.err
	}
	if n, found := m.counts[name]; found {
		return Word{name, n}, nil
	}
	return Word{}, ErrNoWord
}

func (m *memory) List(_ context.Context, limit int) ([]Word, error) {
	return m.sorted(limit, func(a, b Word) int { return strings.Compare(a.Name, b.Name) })
}

func (m *memory) Top(_ context.Context, limit int) ([]Word, error) {
	return m.sorted(limit, func(a, b Word) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
	})
}

func (m *memory) sorted(limit int, order func(a, b Word) int) ([]Word, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	words := []Word{}
	for name, n := range m.counts {
		words = append(words, Word{name, n})
	}
	slices.SortFunc(words, order)
	return words[:min(limit, len(words))], m.err
}

func (m *memory) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) sum() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sum int64
	for _, n := range m.counts {
		sum += n
	}
	return sum
}

func TestParseName(t *testing.T) {
	tests := []struct{ segment, want, err string }{
		{segment: "word", want: "word"},
		{segment: "c++", want: "c++"},
		{segment: "a%2Fb", want: "a/b"},
		{segment: "gr%C3%BC%C3%9Fe", want: "grüße"},
		{segment: "%24inc", want: "$inc"},
		{segment: strings.Repeat("x", maxName), want: strings.Repeat("x", maxName)},
		{segment: strings.Repeat("x", maxName+1), err: "word: 257 bytes, at most 256 are allowed"},
		{segment: strings.Repeat("%C3%BC", 129), err: "word: 258 bytes, at most 256 are allowed"},
		{segment: "", err: "word: empty"},
		{segment: "%ff", err: "word: not UTF-8"},
		{segment: "%zz", err: `word: invalid URL escape "%zz"`},
	}
	for _, test := range tests {
		got, err := parseName(test.segment)
		if got != test.want {
			t.Errorf("%.20q: got %q", test.segment, got)
		}
		if text := errorText(err); text != test.err {
			t.Errorf("%.20q: error %q, want %q", test.segment, text, test.err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
