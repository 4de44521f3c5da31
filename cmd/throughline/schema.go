package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/script"
)

func newSchema() *cobra.Command {
	var ofVerdict bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "The JSON Schema of scenario files, for editors, or of verdict.json",
		Long: `Print the language of scenarios as a JSON Schema (draft 2020-12), with what
docs/SCENARIOS.md says of each key. An editor that speaks yaml-language-server (VS Code
with its YAML extension, Neovim, Emacs, JetBrains) then completes keys, explains them and
underlines mistakes, in a file that has this line:

  # yaml-language-server: $schema=throughline.schema.json

A schema knows what is wrong with a key by itself. What two places of a file say of each
other (who is alive at a step, which routes the load has) only throughline check knows.`,
		Example: `  throughline schema > throughline.schema.json
  throughline schema --verdict > verdict.schema.json`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			make := func() ([]byte, error) { return script.Schema(reader(cmd).Options, docs.KeyOf) }
			if ofVerdict {
				make = func() ([]byte, error) { return verdict.Schema(docs.VerdictKey) }
			}
			text, err := make()
			if err != nil {
				return cli.Unable(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
	cmd.Flags().BoolVar(&ofVerdict, "verdict", false, "that of verdict.json")
	return cmd
}
