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

// eat takes memory, and not only addresses: the kernel gives the pages of each block at
// once, which takes a fraction of what it takes to be asked for a million of them.
func eat() {
	for n := 1; ; n++ {
		block, err := syscall.Mmap(-1, 0, 64<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
		must(err)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1 // if it has not given all
		}
		fmt.Println("took", n*64, "MiB")
	}
}
