package main

import (
	"strings"

	"github.com/spf13/cobra"

	"throughline/app"
	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/docs"
	"throughline/live/inventory"
	"throughline/scenarios"
	"throughline/scenarios/gallery"
)

// What a shell may complete: names where there are names, files where there are
// files too.

// scenarioNames completes built-in scenarios, each with what it is about, and
// files.
func scenarioNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, name := range scenarios.Names() {
		if s, err := reader(cmd).Read(name); err == nil {
			words = append(words, cli.Described(name, s.About))
		}
	}
	return words, cobra.ShellCompDirectiveDefault
}

// builtInNames completes built-in scenarios alone.
func builtInNames(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	words, _ := scenarioNames(cmd, args, typed)
	return words, cobra.ShellCompDirectiveNoFileComp
}

// galleryNames completes the entries of the gallery, and its healthy runs, that are not
// there yet.
func galleryNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	given := " " + strings.Join(args, " ") + " "
	var words []string
	add := func(name, about string) {
		if !strings.Contains(given, " "+name+" ") {
			words = append(words, cli.Described(name, about))
		}
	}
	for _, e := range gallery.Entries() {
		add(e.Name, e.About)
	}
	for _, c := range gallery.Controls() {
		add(c.Name, "healthy: "+c.About)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// wordNames completes the words that can be explained, each with what it is.
var wordNames = cli.Each(docs.Glossary, func(e docs.Entry) (word, about string) { return e.Word, e.Line() })

// defectNames completes the defects of the reference app.
var defectNames = cli.Each(app.Defects, func(d app.Defect) (word, about string) { return d.Name, d.About })

// operandWords are what a command's operands may be, by its name.
var operandWords = map[string]cli.Completion{
	"run": scenarioNames, "validate": scenarioNames, "check": scenarioNames, "show": builtInNames, "judge": cli.Directory, "diff": cli.Directory, "selftest": galleryNames, "explain": wordNames, "ctl": moveWords,
}

// flagWords are the flags that take one of a few words, by command and name.
var flagWords = map[string]map[string]cli.Completion{
	"run":       {"platform": cli.OneOf(platforms.Names()...), "format": cli.OneOf("text", "json"), "dashboard": cli.OneOf(off), "page": cli.OneOf(off)},
	"validate":  {"platform": cli.OneOf(platforms.Names()...), "format": cli.OneOf("text", "json"), "dashboard": cli.OneOf(off), "page": cli.OneOf(off)},
	"init":      {"platform": cli.OneOf(platforms.Names()...), "ci": cli.OneOf(append(docs.CISystems(), noCI)...)},
	"up":        {"platform": cli.OneOf(platforms.Names()...), "dashboard": cli.OneOf(off), "page": cli.OneOf(off), "defect": defectNames},
	"workshop":  {"platform": cli.OneOf(platforms.Names()...), "dashboard": cli.OneOf(), "page": cli.OneOf(off)},
	"judge":     {"format": cli.OneOf("text", "json"), "checks": scenarioNames},
	"selftest":  {"platform": cli.OneOf(platforms.Names()...), "format": cli.OneOf("text", "json", "markdown")},
	"collect":   {"origin": cli.OneOf("listener", "source", "container"), "gauges": cli.OneOf("auto", "deltas", "absolute"), "graphite-format": cli.OneOf("tags", "path")},
	"version":   {"format": cli.OneOf("text", "json")},
	"inventory": {"format": cli.OneOf(inventory.Formats()...)},
	"app":       {"defect": defectNames},
}
