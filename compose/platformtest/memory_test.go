package platformtest

import (
	"testing"

	"throughline/compose"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	Run(t, func(t *testing.T) compose.Platform {
		return NewMemory(t.TempDir(), map[string]Program{"web": Web})
	}, Programs{Web: func(args ...string) compose.Program {
		return compose.Program{Self: append([]string{"web"}, args...)}
	}})
}
