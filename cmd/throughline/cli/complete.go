package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Completion is what a shell asks for words that may come next.
type Completion = cobra.CompletionFunc

// OneOf completes a word from a list and nothing else.
func OneOf(words ...string) Completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// Each completes a word for each entry of a list and nothing else; describe gives an
// entry's word, and in a few words what it is.
func Each[T any](list func() []T, describe func(T) (word, about string)) Completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var words []string
		for _, entry := range list() {
			words = append(words, Described(describe(entry)))
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// Described is a word as a shell completes it that shows what it is.
func Described(word, about string) string { return word + "\t" + about }

// Directory completes the one directory that a command takes.
func Directory(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// Complete lets a shell complete what the commands below root take: their operands, by
// the command's name (nothing for those that are not there), and the values of their
// flags, by command and flag. It panics where a flag is named that is not there.
func Complete(root *cobra.Command, operands map[string]Completion, flags map[string]map[string]Completion) {
	for _, cmd := range root.Commands() {
		cmd.ValidArgsFunction = operands[cmd.Name()]
		if cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = OneOf()
		}
		for flag, words := range flags[cmd.Name()] {
			if err := cmd.RegisterFlagCompletionFunc(flag, words); err != nil {
				panic(fmt.Sprintf("completion of %s: %v", cmd.Name(), err))
			}
		}
	}
}
