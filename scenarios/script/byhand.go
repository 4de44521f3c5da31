package script

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Now is what there is at the moment in which a step is to be done by hand.
type Now struct {
	Instances []string // that serve, oldest first
	Faults    []string // that have begun and are not healed
	Versions  Versions
	// Members are those of the database that are in its set, and Dead how many of them are dead.
	Members, Dead int
}

// wordForm is what a word of a step may look like: nothing in it has a meaning in YAML.
var wordForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./%-]*$`)

// StepOf reads one step that is to be done at once: in words, like "kill web-2" or "fault drop-datagrams on web-2 share
// 0.5", or as a file has it, like "{kill: web-2}". It refuses what a file would be refused for, and what is impossible
// with what there is now; the error is one line. In words, "launch" is "launch 1", and "heal" heals what is the only fault.
//
// Source is the step as a file has it.
func (s Scenario) StepOf(text string, now Now) (step Step, source string, err error) {
	now.Versions = s.versionsOf(now)
	words := strings.Fields(text)
	source = strings.Join(words, " ")
	if strings.Contains(source, "#") {
		return Step{}, "", fmt.Errorf("%s: a move has no #", quote(source))
	}
	if !strings.HasPrefix(source, "{") {
		if source, err = sourceOf(words, now); err != nil {
			return Step{}, "", err
		}
	}
	r := &reader{file: "step"}
	root, ok := r.tree([]byte(source))
	if !ok {
		return Step{}, "", r.errs.plain()
	}
	root.name = "step"
	w := newWorld(&s, DefaultVersion)
	w.faults, w.lost, w.cloud, w.cloudwatch = slices.Clone(now.Faults), false, true, true // whether it is in a cloud, whoever makes the move knows by its needs
	if now.Members > 0 {
		w.members.set, w.members.dead = now.Members, now.Dead
	}
	for _, name := range now.Faults {
		if k, known := kindOfFault(name); known && k.sidelines {
			w.members.aside++
		}
	}
	f := w.fleets[0]
	f.live, f.scaled, f.versions, f.read = slices.Clone(now.Instances), false, now.Versions.Clone(), now.Versions.Clone()
	step, _ = root.step(w)
	if len(r.errs) > 0 {
		return Step{}, "", r.errs.plain()
	}
	return step, source, nil
}

// versionsOf are the versions that there are now; where nobody tells, all instances are what the stack is.
func (s Scenario) versionsOf(now Now) Versions {
	if len(now.Versions.Known) > 0 {
		return now.Versions
	}
	web := s.Stack.Web
	web.Version = cmp.Or(web.Version, DefaultVersion)
	v := NewVersions(web)
	for _, name := range now.Instances {
		v.Of[name] = web.Version
	}
	return v
}

// sourceOf writes words as a file has them: {fault: drop-datagrams, on: web-2, share: 0.5}.
func sourceOf(words []string, now Now) (string, error) {
	if len(words) == 0 {
		return "", fmt.Errorf("no move here: want one of %s", list(StepKinds()))
	}
	kind := words[0]
	if !slices.Contains(StepKinds(), kind) {
		return "", fmt.Errorf("%s: no such move: %s", shorten(kind), didYouMean(kind, StepKinds()))
	}
	words, err := filledIn(words, now)
	if err != nil {
		return "", err
	}
	k := stepKinds[slices.IndexFunc(stepKinds, func(k stepKind) bool { return k.name == kind })]
	if k.opens && len(words) > 1 && strings.Contains(words[1], "=") { // the words are keys of its value
		return k.openedBy(words[1:])
	}
	pairs, err := pairsOf(kind, words)
	if err != nil {
		return "", err
	}
	return "{" + strings.Join(pairs, ", ") + "}", nil
}

// openedBy writes the words of a step whose value has keys of its own: {deploy: {version: v2, defect: late}, canary: 1}.
func (k stepKind) openedBy(words []string) (string, error) {
	pairs, err := pairsOf(k.name, words)
	if err != nil {
		return "", err
	}
	var own, inner []string
	for _, pair := range pairs {
		if key, _, _ := strings.Cut(pair, ":"); key == "within" || slices.Contains(k.takes, key) {
			own = append(own, pair)
		} else {
			inner = append(inner, pair)
		}
	}
	return "{" + strings.Join(append([]string{k.name + ": {" + strings.Join(inner, ", ") + "}"}, own...), ", ") + "}", nil
}

// pairsOf writes words as keys and values: "share=0.5" and "share 0.5" are "share: 0.5".
func pairsOf(kind string, words []string) (pairs []string, err error) {
	for len(words) > 0 {
		key, value, joined := strings.Cut(words[0], "=")
		words = words[1:]
		if !joined && len(words) > 0 {
			value, words = words[0], words[1:]
		}
		for _, w := range []string{key, value} {
			if w != "" && !wordForm.MatchString(w) {
				return nil, fmt.Errorf("%s: %s has characters that no move has: want words like those of kill web-2", kind, quote(w))
			}
		}
		pairs = append(pairs, key+": "+value)
	}
	return pairs, nil
}

// filledIn completes a step in words that says no more than what it is.
func filledIn(words []string, now Now) ([]string, error) {
	if len(words) > 1 {
		return words, nil
	}
	switch words[0] {
	case Launch{}.Kind():
		return append(words, "1"), nil
	case StepDown{}.Kind():
		return append(words, Primary), nil
	case Rollback{}.Kind():
		back := now.Versions.back(now.Instances)
		if back == "" {
			return nil, errors.New("rollback: nothing was deployed yet")
		}
		return append(words, back), nil
	case Heal{}.Kind():
		switch len(now.Faults) {
		case 0:
			return nil, errors.New("heal: no fault has begun")
		case 1:
			return append(words, now.Faults[0]), nil
		}
		return nil, fmt.Errorf("heal: say which: %s", strings.Join(now.Faults, ", "))
	}
	return words, nil
}

// plain is what is wrong without the places in a file that there is not.
func (e Errors) plain() error {
	e.sort()
	messages := make([]string, len(e))
	for i, one := range e {
		messages[i] = one.Message
	}
	return errors.New(strings.Join(messages, "; "))
}

// Needs are what must be there from the start of a run so that the step can be done.
func (s Step) Needs() []Need {
	if begin, ok := s.Move.(BeginFault); ok {
		k, _ := kindOfFault(begin.Fault.Name())
		return k.needed(begin.Fault)
	}
	at := slices.IndexFunc(stepKinds, func(k stepKind) bool { return k.name == s.Kind() })
	if at < 0 {
		return nil
	}
	return stepKinds[at].needs
}
