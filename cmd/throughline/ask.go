package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// interactive tells whether somebody types what is read.
func interactive(in io.Reader) bool {
	f, is := in.(*os.File)
	if !is {
		return false
	}
	about, err := f.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// errNoAnswer is the end of input before a question was answered.
var errNoAnswer = errors.New("the input ended before all was answered; give --command and --route")

// ask asks for what the flags do not say; commanded: the command is known.
func (f *subjectFlags) ask(in io.Reader, out io.Writer, commanded bool) error {
	lines := bufio.NewScanner(in)
	question := func(text string) (string, error) {
		fmt.Fprint(out, text+" ")
		if !lines.Scan() {
			return "", errors.Join(errNoAnswer, lines.Err())
		}
		return strings.TrimSpace(lines.Text()), nil
	}
	asked := false
	for !commanded && f.command == "" && f.image == "" {
		answer, err := question("Which command starts an instance? It listens on $PORT and sends StatsD to $STATSD_HOST:$STATSD_PORT:")
		if err != nil {
			return err
		}
		f.command, asked = answer, true
	}
	for given := len(f.routes); given == 0; {
		answer, err := question("Which request does it answer? A name, a method and a path, like order: POST /orders/{word}; empty ends the list:")
		switch {
		case err != nil:
			return err
		case answer == "" && len(f.routes) == 0:
			continue
		case answer == "":
			given = len(f.routes)
		case routeFlag.MatchString(answer):
			f.routes, asked = append(f.routes, answer), true
		default:
			fmt.Fprintf(out, "%q is no route\n", answer)
		}
	}
	if !asked {
		return nil
	}
	answer, err := question("Which path answers 2xx when it can serve? (" + f.health + ")")
	if err == nil && answer != "" {
		f.health = answer
	}
	return err
}
