package throughline_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// `make test` gives -short and leaves out what takes long; `make test-all`, which CI
// calls, leaves out nothing.

// allVariable is set by `make test-all`.
const allVariable = "THROUGHLINE_TESTS"

// Whatever -short comes from (GOFLAGS may have it), all is not all with it.
func TestAllIsNotShort(t *testing.T) {
	if os.Getenv(allVariable) == "all" && testing.Short() {
		t.Errorf("%s=all and -short: tests are left out; run without -short (is it in GOFLAGS?)", allVariable)
	}
}

// recipe gives the lines that make would run.
func recipe(t *testing.T, target string) []string {
	t.Helper()
	cmd := exec.Command("make", "--no-print-directory", "-n", target)
	// When make runs this test, its own flags are not meant for this one.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n %s: %v\n%s", target, err, out)
	}
	return strings.Split(string(out), "\n")
}

func TestMakeTestAllLeavesNothingOut(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	isTest := regexp.MustCompile(`gotestsum|go test`)
	leavesOut := regexp.MustCompile(`\s-(test\.)?(short|run|skip|failfast)\b`)
	whole := false
	for _, line := range recipe(t, "test-all") {
		if !isTest.MatchString(line) {
			continue
		}
		if leavesOut.MatchString(line) || !strings.Contains(line, allVariable+"=all") {
			t.Errorf("make test-all leaves tests out, or does not say that it is all: %s", line)
		}
		whole = whole || strings.Contains(line, "-race") && strings.Contains(line, " ./...")
	}
	if !whole {
		t.Error("make test-all does not test ./... with the race detector")
	}
	short := false
	for _, line := range recipe(t, "test") {
		short = short || isTest.MatchString(line) && strings.Contains(line, " -short ") && strings.Contains(line, " ./...")
	}
	if !short {
		t.Error("make test does not test ./... with -short")
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil || !strings.Contains(string(ci), "\nmake test-all\n") {
		t.Errorf(".ci/run does not call make test-all (%v)", err)
	}
}

// Who asks for -short skips, and says that this is why: the list at the end of `make
// test` is how people know what they have not run. Fewer rounds would be a test that
// proves less and does not say so.
func TestShortTestsSaySo(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*_test.go").Output()
	if err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: git ls-files: %v", err)
	}
	asked := 0
	for _, path := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		source, err := os.ReadFile(path)
		if err != nil {
			continue // it was removed
		}
		if path == "whole_test.go" || !bytes.Contains(source, []byte("testing.Short()")) {
			continue
		}
		asked++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		said := 0
		ast.Inspect(file, func(n ast.Node) bool {
			if branch, ok := n.(*ast.IfStmt); ok && asksShort(branch.Cond) && skipsAloud(branch.Body) {
				said++
			}
			return true
		})
		if calls := bytes.Count(source, []byte("testing.Short()")); said != calls {
			t.Errorf("%s: of %d times that it asks testing.Short(), %d are followed by t.Skip(\"SKIPPED by -short: …\") alone", path, calls, said)
		}
	}
	if asked == 0 {
		t.Error("no test asks testing.Short() any more: what is `make test` for?")
	}
}

func asksShort(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && f.Sel.Name == "Short"
}

func skipsAloud(body *ast.BlockStmt) bool {
	if len(body.List) != 1 {
		return false
	}
	statement, ok := body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := statement.X.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	text, literal := call.Args[0].(*ast.BasicLit)
	return ok && literal && strings.HasPrefix(f.Sel.Name, "Skip") && strings.HasPrefix(text.Value, `"SKIPPED by -short: `)
}
