// Command web is the contract's program, for a container of its own.
package main

import (
	"os"

	"throughline/compose/platformtest"
)

func main() { os.Exit(platformtest.Main(platformtest.Web, os.Args[1:])) }
