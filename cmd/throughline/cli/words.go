package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/spelling"
)

// What is wrong with a command line is said here, in place of cobra's words: one
// line that names the thing first and says what to do next.

// Operands takes from least to most operands, as Use spells them; most < 0 is
// any number.
func Operands(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		_, spelled, _ := strings.Cut(cmd.Use, " ")
		switch {
		case len(args) < least:
			return Usage(fmt.Errorf("%s: %s is missing; see %s --help", cmd.Name(), spelled, cmd.CommandPath()))
		case most < 0 || len(args) <= most:
			return nil
		case most == 0:
			return Usage(fmt.Errorf("%s: %s takes flags only; see %[2]s --help", args[0], cmd.CommandPath()))
		}
		return Usage(fmt.Errorf("%s: is one too many, %s takes %s; see %[2]s --help", args[most], cmd.CommandPath(), spelled))
	}
}

// NoOperands is for commands that take flags only.
func NoOperands(cmd *cobra.Command, args []string) error { return Operands(0, 0)(cmd, args) }

// Finish gives a program whose commands are complete, and the commands that cobra adds to
// it, our words for a bad command line.
func Finish(root *cobra.Command) {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(badFlag)
	root.Version = VersionLine(root.Name())
	root.SetVersionTemplate("{{.Version}}\n")
	group(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = topics
		case "completion":
			group(c)
			for _, shell := range c.Commands() {
				shell.Args = NoOperands
			}
		}
	}
}

// subcommands is for commands that only have others below them: a word that is
// none of these is an error.
func subcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return Usage(fmt.Errorf("%s: no such command%s; %s --help lists them", args[0], DidYouMean(args[0], names), cmd.CommandPath()))
}

// topics is for the command help: what it explains are the commands.
func topics(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || found.HasSubCommands() && len(rest) > 0 {
		return subcommands(found, rest)
	}
	return nil
}

// group makes a command of which only the subcommands do something.
func group(cmd *cobra.Command) {
	cmd.Args = subcommands
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.DisableFlagsInUseLine = true
}

// badFlag says what is wrong with a flag.
func badFlag(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		lonely  *pflag.ValueRequiredError
		wrong   *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		spelled := "--" + name
		if unknown.GetSpecifiedShortnames() != "" {
			spelled = "-" + name
		}
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		err = fmt.Errorf("%s: no such flag%s", spelled, DidYouMean(spelled, known))
	case errors.As(err, &lonely):
		err = fmt.Errorf("--%s: its value is missing: want %s", lonely.GetFlag().Name, wanted(lonely.GetFlag()))
	case errors.As(err, &wrong):
		err = fmt.Errorf("--%s %s: want %s", wrong.GetFlag().Name, wrong.GetValue(), wanted(wrong.GetFlag()))
	}
	return Usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
}

// wanted says what a flag takes.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "uint64":
		return "a whole number from 0"
	case "int":
		return "a whole number"
	case "duration":
		return "a time like 10s or 500ms"
	case "rate":
		return "requests per second, like 50/s"
	case "bool":
		return "true or false"
	}
	return f.Usage
}

// DidYouMean is the part of a message about an unknown word that names the known one
// that was probably meant; empty if none is near.
func DidYouMean(word string, known []string) string {
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}

// Given tells the first of these flags that the command line has; empty: it has none.
func Given(cmd *cobra.Command, flags ...string) string {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return name
		}
	}
	return ""
}

// HostPort checks the host:port that a flag has; like is one that would do.
func HostPort(flag, text, like string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--%s %s: want host:port, like %s", flag, text, like)
	}
	return nil
}

// Reason is what the system said of a file, without the path and the call.
func Reason(err error) error {
	if on := (*fs.PathError)(nil); errors.As(err, &on) {
		return on.Err
	}
	return err
}

// Plural writes "1 phase" and "2 phases".
func Plural[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
