package docker

import (
	"context"
	"fmt"
	"os"
	"slices"

	"throughline/compose"
)

// The images of what nobody chose.
const (
	HAProxyImage = "haproxy:3.0"
	HTTPDImage   = "httpd:2.4"
	mongoImage   = "mongo:8"
)

// Needs is what the stacks of some runs want of the platform.
type Needs struct {
	Self     string   // path of this binary
	Balancer string   // the name of the instance that is HAProxy
	HTTPD    bool     // Apache HTTP servers
	Database bool     // one is to be started
	Mongo    string   // the image of that; empty: MONGO_IMAGE of the environment, or mongo:8
	MongoURI string   // of a database that is there already; empty: there is none
	Images   []Wanted // that users chose
}

// Wanted is an image and who wants it, as errors call it.
type Wanted struct{ Image, By string }

// Found is what Preflight found.
type Found struct {
	Images   Images                     // for Config
	Programs map[string]compose.Program // what the users' images execute, by image
	Database compose.Program            // of an image; zero: there is none to be had
	MongoDB  bool                       // that database is a MongoDB
	Chosen   bool                       // the user chose its image
	Note     string                     // about what was not found and is replaced; empty: nothing
}

// Preflight looks for the engine and for all images, which it pulls, and gives all
// that is missing. It starts nothing.
func Preflight(ctx context.Context, n Needs) (found Found, missing []error) {
	found = Found{Programs: map[string]compose.Program{}, Images: Images{HAProxy: HAProxyImage, Named: map[string]string{n.Balancer: HAProxyImage}}}
	if err := reachable(n.MongoURI); err != nil {
		missing = append(missing, err)
	}
	if err := Static(n.Self); err != nil {
		missing = append(missing, fmt.Errorf("this program in an image: %w", err))
	}
	if err := Possible(ctx); err != nil {
		return found, append(missing, err) // without an engine there are no images to look for
	}
	if _, err := Image(ctx, HAProxyImage); err != nil {
		missing = append(missing, err)
	}
	if n.HTTPD {
		if _, err := Image(ctx, HTTPDImage); err != nil {
			missing = append(missing, fmt.Errorf("stack.httpd: %w", err))
		}
	}
	for _, w := range n.Images {
		if words, err := Image(ctx, w.Image); err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", w.By, err))
		} else if len(words) == 0 {
			missing = append(missing, fmt.Errorf("%s %s: has neither ENTRYPOINT nor CMD; give it one", w.By, w.Image))
		} else {
			found.Programs[w.Image] = compose.Program{Command: words, Image: w.Image}
		}
	}
	if n.Database && n.MongoURI == "" {
		if err := found.findDatabase(ctx, n.Mongo); err != nil {
			missing = append(missing, err)
		}
	}
	return found, missing
}

// findDatabase looks for MongoDB's image. The user's choice has to be there; ours
// may be replaced by the embedded database. Any port will do, so that no two runs,
// nor a MongoDB on this machine, want the same.
func (f *Found) findDatabase(ctx context.Context, chosen string) error {
	by := "--mongo-image"
	if chosen == "" {
		chosen, by = os.Getenv("MONGO_IMAGE"), "MONGO_IMAGE"
	}
	image := chosen
	if image == "" {
		image = mongoImage
	}
	words, err := Image(ctx, image)
	switch {
	case err != nil && chosen != "":
		return fmt.Errorf("%s: %w", by, err)
	case err != nil:
		f.Note = fmt.Sprintf("no image %s to be had: the embedded database takes its place (--mongo-image chooses another)", image)
		return nil
	case slices.Contains(words, "docstore"):
		f.Note = fmt.Sprintf("the image %s is the embedded database, no MongoDB", image)
		words = append(words, "--listen", "{{.Host}}:{{.Port}}", "--data", "{{.Dir}}/data")
	default:
		f.MongoDB = true
		words = append(words, "--bind_ip_all", "--port", "{{.Port}}")
	}
	f.Database, f.Chosen = compose.Program{Command: words, Image: image}, chosen != ""
	return nil
}

// reachable refuses a MongoDB that listens where containers do not reach it.
func reachable(uri string) error {
	if at, own := compose.OnLoopback(uri); own {
		return fmt.Errorf("--mongo %s: in a container that is the container itself; give an address of this machine that containers reach", at)
	}
	return nil
}
