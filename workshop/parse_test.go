package workshop

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const small = `# Title

Intro.

## One

Said *before*.

` + "```step\ndo: kill  newest\nshow: name | a > 1\nsee: This,\nsee: and that.\nseen: x == 1\nseen: y\nwithin: 20s\n```" + `

    code: it is

` + "```step\nsee: More.\nseen: z\n```" + `

## Two

` + "```go\n# no title\n```" + `

Last.

` + "```encore\nlost-on-exit\n\ncounted-twice\n```\n"

func TestParse(t *testing.T) {
	got, err := Parse("t.md", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	want := Talk{Title: "Title", Intro: "Intro.", Defects: []string{"lost-on-exit", "counted-twice"}, Slides: []Slide{
		{Title: "One", Steps: []Step{
			{Text: "Said *before*.", Do: []string{"kill newest"}, Show: []Figure{{"name", "a > 1"}}, See: "This, and that.", Seen: []string{"x == 1", "y"}, Within: 20 * time.Second, line: 9},
			{Text: "    code: it is", See: "More.", Seen: []string{"z"}, Within: usual, line: 21}}},
		{Title: "Two", Text: "```go\n# no title\n```\n\nLast."}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Step{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	step := func(lines ...string) string {
		return "# T\n## S\n```step\n" + strings.Join(append(lines, "see: s", "seen: x"), "\n") + "\n```\n"
	}
	for _, c := range []struct{ text, want string }{
		{"", "t.md:1: no title"},
		{"# T\n", "t.md:1: no slide"},
		{"# T\n```step\nsee: s\nseen: x\n```\n", "t.md:2: ```step before the first slide"},
		{"# T\n## S\n```step\nsee: s\nseen: x\n", "t.md:3: the block ```step is not closed"},
		{"# T\n## S\n```step\nsee: s\n```\n", "t.md:3: the step lacks see or seen"},
		{"# T\n## S\n```step\nseen: s\n```\n", "t.md:3: the step lacks see or seen"},
		{"# T\n## S\n```encore\n```\n", "t.md:3: the encore names no defect"},
		{"# T\n## S\n```encore\na\na\n```\n", "t.md:5: a: this defect is named twice"},
		{step() + "and more\n", "t.md:8: slide \"S\" goes on after its last step"},
		{step("withn: 2s"), "t.md:4: withn: no such key (have do, show, see, seen, within); did you mean within?"},
		{step("zzzzzz: x"), "t.md:4: zzzzzz: no such key (have do, show, see, seen, within)\n"},
		{step("words"), "t.md:4: want KEY: VALUE"},
		{step("do:"), "t.md:4: want KEY: VALUE"},
		{step("show: x"), "t.md:4: show: want NAME | EXPRESSION"},
		{step("within: soon"), "t.md:4: within: want a time up to 1m"},
		{step("within: -1s"), "t.md:4: within: want a time up to 1m"},
		{step("within: 2m"), "t.md:4: within: want a time up to 1m"},
		{step("a: b", "within: x"), "t.md:5: within"},
	} {
		_, err := Parse("t.md", []byte(c.text))
		if err == nil || !strings.Contains(err.Error()+"\n", c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(source)
	f.Fuzz(func(t *testing.T, text []byte) {
		talk, err := Parse("t.md", text)
		if err != nil {
			return
		}
		for _, slide := range talk.Slides {
			for _, step := range slide.Steps {
				if step.See == "" || len(step.Seen) == 0 || step.Within <= 0 {
					t.Errorf("%+v was accepted", step)
				}
			}
		}
		talk.Guide()
	})
}

func TestRender(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"One *two*\nthree.\n\n`a*b*`, *c*": "<p>One <em>two</em>\nthree.</p>\n<p><code>a*b*</code>, <em>c</em></p>\n",
		"    x := <-c\n    y":              "<pre><code>x := &lt;-c\ny</code></pre>\n",
		"<script>`<b>`":                    "<p>&lt;script&gt;<code>&lt;b&gt;</code></p>\n",
	} {
		if got := string(render(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
