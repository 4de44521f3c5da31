// Command web is the contract's program, for a pod of its own, and what pods are begun and ended with.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"throughline/compose/kubernetes"
	"throughline/compose/kubernetes/inside"
	"throughline/compose/platformtest"
)

func main() {
	if len(os.Args) < 4 || os.Args[1] != "pod" {
		os.Exit(platformtest.Main(platformtest.Web, os.Args[1:]))
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	status, err := 0, error(nil)
	switch os.Args[2] {
	case "run":
		status, err = inside.Run(ctx, os.Args[3], os.Args[4])
	case "copy":
		err = inside.Copy(os.Args[3])
	case "reap":
		err = kubernetes.Reap(ctx, os.Args[3], os.Args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
