package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/live"
	"throughline/live/remote"
	"throughline/scenarios/script"
)

// The words of ctl that are no moves.
const (
	ctlStatus = "status"
	ctlEnd    = "end"
)

func newCtl() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "ctl MOVE...",
		Short: "Make a move on the stack that is up",
		Long: `Make a move on the stack that throughline up has brought up, and return when it has
had its effect. A move is a step of the scenario language, in words:

  kill web-2                        end an instance without warning
  terminate web-2 [drain=no]        ask it to end, and wait until it has
  interrupt web-2 [notice=10s]      take it away as a cloud does, with notice (up --cloud)
  launch [2]                        start so many new ones, or one
  kill primary, launch member       of a database with members
  step_down primary                 have another member take the writes
  scale 5                           launch, or terminate the newest, until so many serve
  replace web-2, replace all        launch another one, then terminate the old one
  deploy v2, deploy version=v2 defect=late canary=1
                                    the same with all, or so many, by instances of another version
  rollback [v1]                     take a canary back, or go back to the version before
  limit web-2 cpus=0.2              let it use so much of the processor
  fault drop-datagrams on=web-2 share=0.5
  fault freeze on=web-1             a fault, and what it takes (docs/SCENARIOS.md)
  heal [drop-datagrams]             end a fault, or the only one

and two words that are no moves:

  status                            who serves, which faults there are, what was done
  end                               end it, as Ctrl-C does; up gives the verdict

The exit status is 0 when the move had its effect, 3 when there is no such move now, and
4 when it had no effect or no stack is up.`,
		Example: `  throughline ctl kill web-2
  throughline ctl launch
  throughline ctl fault drop-datagrams on=web-1 share=0.5`,
		Args: cli.Operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := remote.Find(at)
			if err != nil {
				return cli.Unable(fmt.Errorf("ctl: %w", err))
			}
			return ctl(cmd.OutOrStdout(), c, strings.Join(args, " "))
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "address of the page of the stack (default: the newest that is up)")
	return cmd
}

func ctl(w io.Writer, c remote.Client, words string) error {
	switch words {
	case ctlStatus:
		s, err := c.Standing()
		if err != nil {
			return cli.Unable(err)
		}
		return standing(w, c.URL, s)
	case ctlEnd:
		if err := c.End(); err != nil {
			return cli.Unable(err)
		}
		_, err := fmt.Fprintln(w, "it ends; throughline up gives the verdict")
		return err
	}
	m, err := c.Move(words)
	switch {
	case errors.Is(err, remote.ErrUnreachable):
		return cli.Unable(err)
	case err != nil:
		return cli.Usage(err)
	case m.Error != "":
		return cli.Unable(errors.New(m.String()))
	}
	_, err = fmt.Fprintln(w, m)
	return err
}

// standing prints how a stack stands.
func standing(w io.Writer, url string, s live.Standing) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("page", "%s", url)
	if s.Up {
		line("instances", "%s", cmp.Or(strings.Join(s.Instances, " "), "none serves"))
		line("faults", "%s", cmp.Or(strings.Join(s.Faults, " "), "none"))
	} else {
		line("stack", "not up: it is coming, or going")
	}
	if l := s.Load; l != nil {
		line("load", "%.0f/s, %d acknowledged, %d refused, %d unknown, p99 %v", l.Rate, l.Acked, l.Refused, l.Unknown, l.P99.Round(time.Millisecond/10))
	}
	if s.Moving != "" {
		line("under way", "%s", s.Moving)
	}
	for i, m := range s.Moved {
		line(fmt.Sprintf("move %d", i+1), "%s", m)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// moveWords completes a move: its kind, then who serves.
func moveWords(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return append(slices.Clone(script.StepKinds()), ctlStatus, ctlEnd), cobra.ShellCompDirectiveNoFileComp
	}
	if args[0] == (script.BeginFault{}).Kind() && len(args) == 1 {
		return script.FaultNames(), cobra.ShellCompDirectiveNoFileComp
	}
	at, _ := cmd.Flags().GetString("at")
	c, err := remote.Find(at)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, _ := c.Standing() // who is not there completes nothing
	if args[0] == (script.Heal{}).Kind() {
		return s.Faults, cobra.ShellCompDirectiveNoFileComp
	}
	return s.Instances, cobra.ShellCompDirectiveNoFileComp
}
