package cli

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// openers are the programs that open an address as the user has it, by system.
var openers = map[string][]string{
	"darwin":  {"open"},
	"windows": {"rundll32", "url.dll,FileProtocolHandler"},
	"linux":   {"xdg-open"},
}

// OpenBrowser opens an address in the user's browser, and does not wait for it. The error
// says that it cannot be known how.
func OpenBrowser(address string) error {
	opener := openers[runtime.GOOS]
	if opener == nil {
		opener = openers["linux"]
	}
	path, err := exec.LookPath(opener[0])
	if err != nil {
		return fmt.Errorf("no browser can be opened here: %w", errors.Unwrap(err))
	}
	cmd := exec.Command(path, append(opener[1:], address)...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("no browser can be opened here: %w", err)
	}
	go func() { _ = cmd.Wait() }() // what becomes of it is the user's to see
	return nil
}
