// Command begin does what the entrypoints of many published images do: as root
// it makes a directory for an ordinary user, becomes that user, and writes there
// and in the directory that is its argument. With the argument "eat" it takes
// memory until it is stopped, with "say" it says its other arguments.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	home = "/var/lib/begin"
	user = 999
)

func main() {
	switch os.Args[1] {
	case "eat":
		eat()
	case "say":
		fmt.Printf("told %q\n", os.Args[2:])
		time.Sleep(time.Hour)
	}
	must(os.MkdirAll(home, 0o755))
	must(os.Chown(home, user, user))
	must(syscall.Setgroups(nil))
	must(syscall.Setgid(user))
	must(syscall.Setuid(user))
	must(os.WriteFile(home+"/data", []byte("mine"), 0o600))
	must(os.WriteFile(os.Args[1]+"/data", []byte("mine too"), 0o600))
	fmt.Println("begun as", os.Getuid())
	time.Sleep(time.Hour)
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// eat writes to every page, so that it takes memory and not only addresses.
func eat() {
	var all [][]byte
	for {
		block := make([]byte, 64<<20)
		for n := 0; n < len(block); n += 4096 {
			block[n] = 1
		}
		all = append(all, block)
		fmt.Println("took", len(all)*64, "MiB")
	}
}
