package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"throughline/app"
	"throughline/cmd/throughline/platforms"
	"throughline/docs"
	"throughline/scenarios"
	"throughline/scenarios/gallery"
)

// What a shell may complete: names where there are names, files where there are
// files too.

// completion is what cobra asks for words that may come next.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// oneOf completes a word from a list and nothing else.
func oneOf(words ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// scenarioNames completes built-in scenarios, each with what it is about, and
// files.
func scenarioNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, name := range scenarios.Names() {
		if s, err := reader(cmd).Read(name); err == nil {
			words = append(words, name+"\t"+s.About)
		}
	}
	return words, cobra.ShellCompDirectiveDefault
}

// recordDir completes the one directory that judge takes.
func recordDir(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// galleryNames completes the entries of the gallery, and its healthy runs, that are not
// there yet.
func galleryNames(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	given := " " + strings.Join(args, " ") + " "
	var words []string
	add := func(name, about string) {
		if !strings.Contains(given, " "+name+" ") {
			words = append(words, name+"\t"+about)
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

// causeNames completes the causes that findings name.
func causeNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return docs.Causes(), cobra.ShellCompDirectiveNoFileComp
}

// defectNames completes the defects of the reference app.
func defectNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, d := range app.Defects() {
		words = append(words, d.Name+"\t"+d.About)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// operandWords are what a command's operands may be, by its name.
var operandWords = map[string]completion{
	"run": scenarioNames, "check": scenarioNames, "judge": recordDir, "selftest": galleryNames, "explain": causeNames,
}

// flagWords are the flags that take one of a few words, by command and name.
var flagWords = map[string]map[string]completion{
	"run":      {"platform": oneOf(platforms.Names()...), "format": oneOf("text", "json"), "dashboard": oneOf("off")},
	"up":       {"platform": oneOf(platforms.Names()...), "dashboard": oneOf("off")},
	"judge":    {"format": oneOf("text", "json"), "checks": scenarioNames},
	"selftest": {"platform": oneOf(platforms.Names()...), "format": oneOf("text", "json", "markdown")},
	"collect":  {"origin": oneOf("listener", "source", "container"), "gauges": oneOf("auto", "deltas", "absolute"), "graphite-format": oneOf("tags", "path")},
	"app":      {"defect": defectNames},
}

// complete lets a shell complete what the commands below root take.
func complete(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		cmd.ValidArgsFunction = operandWords[cmd.Name()]
		if cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = oneOf()
		}
		for flag, words := range flagWords[cmd.Name()] {
			if err := cmd.RegisterFlagCompletionFunc(flag, words); err != nil {
				panic(fmt.Sprintf("completion of %s: %v", cmd.Name(), err)) // the table above names a flag that is gone
			}
		}
	}
}
