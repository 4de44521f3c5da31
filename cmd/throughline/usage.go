package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/scenarios/script"
)

// What is wrong with a command line is said here, in place of cobra's words: one
// line that names the thing first and says what to do next.

// operands takes from least to most operands, as Use spells them; most < 0 is
// any number.
func operands(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		_, spelled, _ := strings.Cut(cmd.Use, " ")
		switch {
		case len(args) < least:
			return usage(fmt.Errorf("%s: %s is missing; see %s --help", cmd.Name(), spelled, cmd.CommandPath()))
		case most < 0 || len(args) <= most:
			return nil
		case most == 0:
			return usage(fmt.Errorf("%s: %s takes flags only; see %[2]s --help", args[0], cmd.CommandPath()))
		}
		return usage(fmt.Errorf("%s: is one too many, %s takes %s; see %[2]s --help", args[most], cmd.CommandPath(), spelled))
	}
}

// noOperands is for commands that take flags only.
var noOperands = operands(0, 0)

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
	return usage(fmt.Errorf("%s: no such command%s; %s --help lists them", args[0], didYouMean(args[0], names), cmd.CommandPath()))
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
		err = fmt.Errorf("%s: no such flag%s", spelled, didYouMean(spelled, known))
	case errors.As(err, &lonely):
		err = fmt.Errorf("--%s: its value is missing: want %s", lonely.GetFlag().Name, wanted(lonely.GetFlag()))
	case errors.As(err, &wrong):
		err = fmt.Errorf("--%s %s: want %s", wrong.GetFlag().Name, wrong.GetValue(), wanted(wrong.GetFlag()))
	}
	return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
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
	case "bool":
		return "true or false"
	}
	return f.Usage
}

// didYouMean is the part of a message that names what is spelled alike, if
// anything is.
func didYouMean(word string, known []string) string {
	if near := script.Nearest(word, known); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}

// address checks the host:port that a flag has.
func address(flag, text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--%s %s: want host:port, like 127.0.0.1:9102", flag, text)
	}
	return nil
}

// reason is what the system said of a file, without the path and the call.
func reason(err error) error {
	if on := (*fs.PathError)(nil); errors.As(err, &on) {
		return on.Err
	}
	return err
}

// plural writes "1 phase" and "2 phases".
func plural[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
