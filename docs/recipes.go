package docs

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed ci
var recipes embed.FS

// recipeFiles are the recipes of docs/ci by CI system, and where that wants its file.
var recipeFiles = map[string]struct{ name, goes string }{
	"github":  {"github.yml", ".github/workflows/throughline.yml"},
	"gitlab":  {"gitlab-ci.yml", "throughline.gitlab-ci.yml"},
	"jenkins": {"Jenkinsfile", "Jenkinsfile.throughline"},
}

// recipeScenario is the scenario that the recipes run.
const recipeScenario = "ci/replace.yaml"

// CISystems are those for which there is a recipe.
func CISystems() []string { return []string{"github", "gitlab", "jenkins"} }

// Recipe is the CI file that runs a scenario's file, and where it goes from the root of a repository.
func Recipe(system, scenario string) (goes string, text []byte, err error) {
	file, known := recipeFiles[system]
	if !known {
		return "", nil, fmt.Errorf("%s: no such CI system (have %s)", system, strings.Join(CISystems(), ", "))
	}
	source, err := recipes.ReadFile("ci/" + file.name)
	if err != nil {
		return "", nil, err
	}
	return file.goes, []byte(strings.ReplaceAll(string(source), recipeScenario, scenario)), nil
}
