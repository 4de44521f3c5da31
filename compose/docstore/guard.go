package docstore

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// guard calls f, which reads the mapped file through bbolt, and makes an error
// of what a damaged page does there: bbolt panics over what cannot be, and a
// page that is gone or an offset out of nowhere is a fault of the memory. Every
// other panic is a fault of the program's own and goes on.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		trouble := recover()
		if trouble == nil {
			return
		}
		_, fault := trouble.(interface{ Addr() uintptr })
		if !fault && !strings.HasPrefix(panicked(), "go.etcd.io/bbolt") {
			panic(trouble)
		}
		err = fmt.Errorf("%w: %v", errDamaged, trouble)
	}()
	return f()
}

// panicked names the function that panicked. A deferred function calls it.
func panicked() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	seen := false // the panic: what is above it is its handling
	for {
		frame, more := frames.Next()
		switch inRuntime := strings.HasPrefix(frame.Function, "runtime."); {
		case frame.Function == "runtime.gopanic":
			seen = true
		case seen && !inRuntime:
			return frame.Function
		}
		if !more {
			return ""
		}
	}
}
