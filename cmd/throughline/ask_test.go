package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// What the flags do not say is asked, until it can be read; what they say is not.
func TestAsk(t *testing.T) {
	var f subjectFlags
	f.health = usualHealth
	var out strings.Builder
	in := strings.NewReader("\npython3 'my shop.py'\nnonsense\norder: POST /orders/{word}\nfind: GET /orders/{word}\n\n/up\n")
	if err := f.ask(in, &out, false); err != nil {
		t.Fatal(err)
	}
	d, err := f.draft(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Command, []string{"python3", "my shop.py"}) || len(d.Routes) != 2 || d.Routes[1].Name != "find" || d.Health != "/up" || d.Name != "my-shop" {
		t.Errorf("understood as %+v", d)
	}
	if !strings.Contains(out.String(), `"nonsense" is no route`) {
		t.Errorf("a mistake is not said:\n%s", &out)
	}

	f = subjectFlags{command: "./shop", routes: []string{"order: POST /orders/{word}"}}
	out.Reset()
	if err := f.ask(strings.NewReader(""), &out, false); err != nil || out.Len() > 0 {
		t.Errorf("what is known is asked: %v\n%s", err, &out)
	}
	f = subjectFlags{}
	if err := f.ask(strings.NewReader("./shop\n"), &out, false); !errors.Is(err, errNoAnswer) {
		t.Errorf("an end of the input is %v", err)
	}
}

// An application is called as its script is, or its program.
func TestNames(t *testing.T) {
	for command, want := range map[string]string{
		"python3 shop.py": "shop", "./bin/shop --port={{.Port}}": "shop", "java -jar target/shop-1.2.jar": "shop-1.2", "node --inspect srv/app.js x.json": "app", "/srv/!!!": "app",
	} {
		f := subjectFlags{command: command, routes: []string{"a: GET /"}}
		d, err := f.draft(nil)
		if err != nil || d.Name != want {
			t.Errorf("%s is called %q (%v), want %q", command, d.Name, err, want)
		}
	}
}
