package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"throughline/scenarios/check"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

func newJudge() *cobra.Command {
	var (
		format string
		write  bool
	)
	cmd := &cobra.Command{
		Use:   "judge DIR",
		Short: "Judge a recorded run again; the verdict is identical",
		Long: `Judge the record in DIR, which throughline run has written. Nothing is started,
and nothing but the record decides. With --write the verdict and the reports in
DIR are written anew.`,
		Args: operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usage(fmt.Errorf("--format %s: no such format (have text, json)", format))
			}
			dir := args[0]
			history, err := record.Read(dir)
			if err != nil {
				return usage(err)
			}
			verdict, err := check.Judge(history)
			if err != nil {
				return usage(fmt.Errorf("%s: %w", dir, err))
			}
			if write {
				if _, err := report.WriteAll(dir, history, verdict); err != nil {
					return harness(err)
				}
			}
			if err := show(cmd.OutOrStdout(), history, verdict, shown{format: format, dir: dir}); err != nil {
				return harness(err)
			}
			if status := exitOf(verdict.Outcome); status != exitPass {
				return &statusError{status: status}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "of the verdict: text or json")
	cmd.Flags().BoolVar(&write, "write", false, "write verdict.json, junit.xml and report.html in DIR anew")
	return cmd
}
