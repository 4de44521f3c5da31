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
