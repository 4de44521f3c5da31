package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDiagnosesAreDocumented: every cause that can be printed has a heading on
// the page, and no heading is without a cause.
func TestDiagnosesAreDocumented(t *testing.T) {
	var causes []string
	every := false // exported string of the file is a cause
	collect := func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if name := spec.Names[0].Name; ok && literal.Kind == token.STRING && (strings.HasPrefix(name, "Cause") || every && spec.Names[0].IsExported()) {
			word, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			causes = append(causes, word)
		}
		return true
	}
	for _, name := range []string{"verdict/cause.go", "diagnose/case.go"} {
		every = strings.HasPrefix(name, "diagnose/")
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, collect)
	}
	page, err := os.ReadFile("../../docs/DIAGNOSES.md")
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(page), -1) {
		headings = append(headings, m[1])
	}
	for _, c := range causes {
		if !slices.Contains(headings, c) {
			t.Errorf("docs/DIAGNOSES.md has no heading ### %s", c)
		}
	}
	for _, h := range headings {
		if !slices.Contains(causes, h) {
			t.Errorf("docs/DIAGNOSES.md has a heading ### %s, and no cause is called so", h)
		}
	}
	if len(causes) < 40 {
		t.Errorf("only %d causes were found", len(causes))
	}
}
