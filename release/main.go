// Command release makes what is published of the program: for each platform an archive with
// the binary, its manual pages and completions, a bill of materials, and the checksums of
// all. The same commit gives the same bytes, wherever and whenever it is made.
//
// It builds and packs, and knows nothing of what the program does: pages and completions it has from
// the program itself. `make release` calls it, and it is in no binary.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// targets are the platforms that are published.
const targets = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	r := release{say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, "release: "+format+"\n", args...) }}
	flag.StringVar(&r.dir, "out", "dist", "the directory of what is made; what is in it from before goes")
	flag.StringVar(&r.version, "version", "", "the version (default: the commit's tag, or what git describes it by)")
	list := flag.String("targets", targets, "platforms, as GOOS/GOARCH, separated by commas")
	flag.Parse()
	r.targets = strings.Split(*list, ",")
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "release: %s: takes flags only\n", flag.Arg(0))
		os.Exit(2)
	}
	began := time.Now()
	if err := r.make(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
	r.say("%s is in %s, after %v", r.version, r.dir, time.Since(began).Round(time.Second))
}
