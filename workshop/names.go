package workshop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The words that stand for an instance in a move.
const (
	newest = "newest"
	oldest = "oldest"
	// it stands, in an expression, for the instance that the last move was about.
	it = "$it"
	// serving stands, in an expression, for how many instances serve once the moves of its
	// step are made: who tries things between the steps has more or fewer than the talk has.
	serving = "$serving"
)

// terms are what the words in an expression stand for.
type terms struct {
	about   string
	serving int
}

func (t terms) in(expr string) string {
	return strings.NewReplacer(it, t.about, serving, strconv.Itoa(t.serving)).Replace(expr)
}

// foreseen are the terms of a step that has these moves, where these instances serve before.
func foreseen(moves, instances []string) terms {
	f := fleet{serving: slices.Clone(instances)}
	for _, name := range instances {
		number, _ := strconv.Atoi(strings.TrimPrefix(name, "web-")) // 0: no newcomer is called so
		f.born = max(f.born, number)
	}
	return f.moves(moves, func(string) {})
}

// named puts the name of an instance in the place of newest and oldest, and gives the last
// instance that a move is about; "" if it is about none of those. instances are those that
// serve, oldest first.
func named(move string, instances []string) (words, about string, err error) {
	fields := strings.Fields(move)
	for i, word := range fields {
		if word != newest && word != oldest {
			if slices.Contains(instances, word) {
				about = word
			}
			continue
		}
		if len(instances) == 0 {
			return "", "", fmt.Errorf("%s: no instance serves; launch one first", move)
		}
		about = instances[0]
		if word == newest {
			about = instances[len(instances)-1]
		}
		fields[i] = about
	}
	return strings.Join(fields, " "), about, nil
}

// fleet tells which instances serve after moves, for a guide that is written before they
// are made. The names are web-1, web-2, …, and none is used again.
type fleet struct {
	serving []string
	born    int
}

func newFleet(n int) *fleet {
	f := &fleet{}
	f.launch(n)
	return f
}

func (f *fleet) launch(n int) {
	for range n {
		f.born++
		f.serving = append(f.serving, fmt.Sprintf("web-%d", f.born))
	}
}

// moves does to the names what moves do to the instances, and gives the terms of what
// comes of it. each is told the words of every move.
func (f *fleet) moves(moves []string, each func(words string)) terms {
	var t terms
	for _, move := range moves {
		words, about, err := named(move, f.serving)
		if err != nil {
			continue // who makes the move says so
		}
		if about != "" {
			t.about = about
		}
		f.move(words, about)
		each(words)
	}
	t.serving = len(f.serving)
	return t
}

// move does to the names what a move does to the instances.
func (f *fleet) move(words, about string) {
	fields := strings.Fields(words)
	n := 1
	if len(fields) > 1 {
		n, _ = strconv.Atoi(fields[1]) // 0 where it is no number
	}
	gone := func() {
		f.serving = slices.DeleteFunc(f.serving, func(name string) bool { return name == about })
	}
	switch fields[0] {
	case "kill", "terminate", "interrupt":
		gone()
	case "launch":
		f.launch(n)
	case "replace":
		f.launch(1)
		gone()
	case "scale":
		if n > len(f.serving) {
			f.launch(n - len(f.serving))
		}
		f.serving = f.serving[:n]
	}
}
