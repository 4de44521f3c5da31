package crew

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// A connection begins with one line each way, before anything that has to be decoded: who comes, with the token, and whether
// that is welcome. So nobody without the token is listened to any further.

const (
	greeting = "throughline-worker/1" // 1 is the version of all that is said
	welcome  = "welcome"
	// helloLimit is how long the line may take to come, and to be answered.
	helloLimit  = 5 * time.Second
	longestLine = 256
)

// hello presents a worker.
func hello(conn net.Conn, token string, number int) error {
	if err := conn.SetDeadline(time.Now().Add(helloLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "%s %d %s\n", greeting, number, token); err != nil {
		return err
	}
	answer, err := readLine(conn)
	switch {
	case err != nil:
		return fmt.Errorf("no answer to who it is: %w", err)
	case answer != welcome:
		return fmt.Errorf("it is not welcome: %.200q", answer)
	}
	return conn.SetDeadline(time.Time{})
}

// admit hears who comes, and gives the number of a worker who has the token.
func admit(conn net.Conn, token string) (number int, err error) {
	if err := conn.SetDeadline(time.Now().Add(helloLimit)); err != nil {
		return 0, err
	}
	line, err := readLine(conn)
	if err != nil {
		return 0, err
	}
	words := strings.Fields(line)
	switch {
	case len(words) != 3 || words[0] != greeting:
		return 0, errors.New("it does not speak " + greeting + ": have workers and coordinator be of one version")
	case subtle.ConstantTimeCompare([]byte(words[2]), []byte(token)) != 1:
		return 0, errors.New("it has not the token")
	}
	if _, err := fmt.Sscanf(words[1], "%d", &number); err != nil {
		return 0, fmt.Errorf("it has no number: %w", err)
	}
	return number, nil
}

// answer tells who came whether it is welcome; nil: it is.
func answer(conn net.Conn, refusal error) error {
	text := welcome
	if refusal != nil {
		text = strings.ReplaceAll(refusal.Error(), "\n", " ")
	}
	err := conn.SetDeadline(time.Now().Add(helloLimit)) // that of the question may be over
	if err == nil {
		_, err = io.WriteString(conn, text+"\n")
	}
	return errors.Join(err, conn.SetDeadline(time.Time{}))
}

// readLine reads a line, and not a byte more: what comes after is another's to read.
func readLine(from io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < longestLine {
		if _, err := io.ReadFull(from, one); err != nil {
			return "", err
		}
		if one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[0])
	}
	return "", fmt.Errorf("its first line is longer than %d bytes", longestLine)
}
