package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Each CI system has a recipe that runs the scenario that is asked for, and no other.
func TestRecipes(t *testing.T) {
	for _, system := range CISystems() {
		goes, text, err := Recipe(system, "ci/shop.yaml")
		if err != nil || goes == "" || !strings.Contains(string(text), "ci/shop.yaml") || strings.Contains(string(text), recipeScenario) {
			t.Errorf("%s: %s, %v:\n%s", system, goes, err, text)
		}
	}
	if _, _, err := Recipe("travis", "x"); err == nil || !strings.Contains(err.Error(), "have github, gitlab, jenkins") {
		t.Errorf("travis: %v", err)
	}
}

// What the GitHub recipe gives the action, the action takes.
func TestGitHubRecipeFitsTheAction(t *testing.T) {
	_, text, err := Recipe("github", "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	action, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	inputs, _, _ := strings.Cut(string(action), "outputs:")
	given := regexp.MustCompile(`(?m)^          ([a-z-]+):`).FindAllStringSubmatch(string(text), -1)
	if len(given) == 0 {
		t.Fatal("the recipe gives the action nothing")
	}
	for _, g := range given {
		if !strings.Contains(inputs, "\n  "+g[1]+":") {
			t.Errorf("the action has no input %s", g[1])
		}
	}
}
