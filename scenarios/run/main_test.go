package run

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"throughline/collector/process"
	"throughline/compose/local"
	"throughline/compose/platformtest"
)

// TestMain lets the test binary stand in for what a run starts: the local
// platform's guard, a collector, and a web instance.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	status := 0
	switch os.Args[1] {
	case "guard":
		if err := local.Guard(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	case "collector":
		if err := process.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	case "web":
		status = platformtest.Main(platformtest.Web, os.Args[2:])
	default:
		os.Exit(m.Run())
	}
	// Not os.Exit: the race detector sleeps a second in it.
	syscall.Exit(status)
}
