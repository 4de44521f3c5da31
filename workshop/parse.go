package workshop

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/spelling"
)

// Parse reads a talk:
//
//	# Title          and what is said before the first slide
//	## Slide         and what is said
//	```step          what is done and seen: lines of KEY: VALUE
//	do: kill newest
//	seen: absent(…)
//	```
//	```encore        names of defects, one a line
//	```
//
// Everything that is wrong is told, each with its line: "talk.md:12: …".
func Parse(file string, text []byte) (Talk, error) {
	p := &parser{file: file}
	for i, line := range strings.Split(string(text), "\n") {
		p.line = i + 1
		p.take(line)
	}
	if p.fence != "" {
		p.fail(p.opened, "the block ```%s is not closed", p.fence)
	}
	p.close()
	if p.talk.Title == "" {
		p.fail(1, "no title: want a line like # The talk")
	}
	if len(p.talk.Slides) == 0 {
		p.fail(1, "no slide: want a line like ## Failure is inevitable")
	}
	return p.talk, errors.Join(p.errs...)
}

// parser reads line by line.
type parser struct {
	file   string
	line   int
	talk   Talk
	text   strings.Builder // what was said since the last slide or step
	fence  string          // the kind of the block that is open, "step" or "encore"; "" = none
	other  bool            // a block of another kind is open, which is text
	opened int             // the line of the block
	step   Step
	errs   []error
}

func (p *parser) fail(line int, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...)))
}

func (p *parser) take(line string) {
	fence, isFence := strings.CutPrefix(line, "```")
	fence = strings.TrimSpace(fence)
	switch {
	case p.fence != "" && isFence:
		p.closeFence()
	case p.fence == "step":
		p.key(line)
	case p.fence == "encore":
		p.defect(strings.TrimSpace(line))
	case p.other:
		p.other = !isFence
		p.say(line)
	case isFence && (fence == "step" || fence == "encore"):
		p.openFence(fence)
	case isFence:
		p.other = true
		p.say(line)
	case strings.HasPrefix(line, "## "):
		p.close()
		p.talk.Slides = append(p.talk.Slides, Slide{Title: strings.TrimSpace(line[3:])})
	case strings.HasPrefix(line, "# ") && p.talk.Title == "" && len(p.talk.Slides) == 0:
		p.talk.Title = strings.TrimSpace(line[2:])
	default:
		p.say(line)
	}
}

func (p *parser) say(line string) { p.text.WriteString(line + "\n") }

// said gives what was said, once.
func (p *parser) said() string {
	text := strings.TrimSpace(p.text.String())
	if strings.HasPrefix(strings.TrimLeft(p.text.String(), "\n"), "    ") {
		text = "    " + text // a block of code begins it
	}
	p.text.Reset()
	return text
}

// close ends what was said before the next slide.
func (p *parser) close() {
	text := p.said()
	if len(p.talk.Slides) == 0 {
		p.talk.Intro = text
		return
	}
	slide := &p.talk.Slides[len(p.talk.Slides)-1]
	switch {
	case len(slide.Steps) == 0 && slide.Text == "":
		slide.Text = text
	case text != "":
		p.fail(p.line, "slide %q goes on after its last step: say it before one", slide.Title)
	}
}

func (p *parser) openFence(kind string) {
	p.fence, p.opened = kind, p.line
	if len(p.talk.Slides) == 0 {
		p.fail(p.line, "```%s before the first slide", kind)
		p.talk.Slides = append(p.talk.Slides, Slide{})
	}
	slide := &p.talk.Slides[len(p.talk.Slides)-1]
	if kind == "encore" {
		slide.Text = p.said()
		return
	}
	p.step = Step{Text: p.said(), Within: usual, line: p.line}
}

func (p *parser) closeFence() {
	kind := p.fence
	p.fence = ""
	if kind == "encore" {
		if len(p.talk.Defects) == 0 {
			p.fail(p.opened, "the encore names no defect")
		}
		return
	}
	slide := &p.talk.Slides[len(p.talk.Slides)-1]
	slide.Steps = append(slide.Steps, p.step)
	if p.step.See == "" || len(p.step.Seen) == 0 {
		p.fail(p.opened, "the step lacks see or seen: say what there is to see, and how it is known that it was")
	}
}

// keys are what a step may say.
var keys = []string{"do", "show", "see", "seen", "within"}

func (p *parser) key(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	key, value, found := strings.Cut(line, ":")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !found || value == "" {
		p.fail(p.line, "want KEY: VALUE, with one of %s; got %q", strings.Join(keys, ", "), line)
		return
	}
	switch key {
	case "do":
		p.step.Do = append(p.step.Do, strings.Join(strings.Fields(value), " "))
	case "show":
		name, expr, found := strings.Cut(value, "|")
		if !found {
			p.fail(p.line, "show: want NAME | EXPRESSION, got %q", value)
			return
		}
		p.step.Show = append(p.step.Show, Figure{strings.TrimSpace(name), strings.TrimSpace(expr)})
	case "see":
		p.step.See = strings.TrimSpace(p.step.See + " " + value)
	case "seen":
		p.step.Seen = append(p.step.Seen, value)
	case "within":
		within, err := time.ParseDuration(value)
		if err != nil || within <= 0 || within > time.Minute {
			p.fail(p.line, "within: want a time up to 1m like 20s, got %q", value)
			return
		}
		p.step.Within = within
	default:
		hint := ""
		if near := spelling.Nearest(key, keys); near != "" {
			hint = "; did you mean " + near + "?"
		}
		p.fail(p.line, "%s: no such key (have %s)%s", key, strings.Join(keys, ", "), hint)
	}
}

func (p *parser) defect(name string) {
	switch {
	case name == "":
	case slices.Contains(p.talk.Defects, name):
		p.fail(p.line, "%s: this defect is named twice", name)
	default:
		p.talk.Defects = append(p.talk.Defects, name)
	}
}
