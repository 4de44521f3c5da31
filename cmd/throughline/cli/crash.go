package cli

import (
	"runtime/debug"
	"syscall"
)

// crashApart sees to it that a crash is not taken for a verdict. Go ends a
// program with status 2 after a panic that nobody recovers, after a fatal error
// (no memory, a stack that is too deep, a map written by two at once) and at a
// SIGQUIT, and 2 says "inconclusive". From here on it prints what it does in
// any case, and dies of SIGABRT, which no status of ours is (a shell shows 134).
//
// An abort would leave a core file of gigabytes. A limit of 1 byte keeps the
// kernel from writing one, and, unlike 0, from giving one to a program that
// collects them (core(5)). Only the soft limit is set: instances inherit it, and
// may raise it again.
func crashApart() {
	debug.SetTraceback("crash")
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || limit.Cur <= 1 && limit.Max <= 1 {
		return
	}
	limit.Cur = 1
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit) // else there is a core file, and the status is right all the same
}
