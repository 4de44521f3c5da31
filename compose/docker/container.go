package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	enginenet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"throughline/compose"
)

const (
	volumeDir   = "/instance"
	instanceDir = volumeDir + "/own" // {{.Dir}}: the top of a volume is root's
	everywhere  = "0.0.0.0"          // {{.Host}}: a container has addresses of its own
	firstPort   = 8080               // for ports that may be any: in the container they cannot collide with others'
)

// launch brings the container up; from its return on the instance is in the
// platform's books. What must not be left half done is not called off by ctx.
func (p *Platform) launch(ctx context.Context, i compose.Instance) (*instance, error) {
	fixed := i.Ports
	i.Ports = choosePorts(i.Ports)
	addr, err := p.network.locate(i.Name)
	if err != nil {
		return nil, err
	}
	if i.Placed != nil {
		if err := i.Placed(addr); err != nil {
			return nil, err
		}
	}
	i, err = i.Expand(compose.Place{Host: everywhere, Address: addr.String(), Dir: instanceDir})
	if err != nil {
		return nil, err
	}
	b, err := p.program(i)
	if err != nil {
		return nil, err
	}
	b.fixed, b.addr = fixed, addr
	if err := ensureImage(ctx, p.client, b.image); err != nil {
		return nil, err
	}
	if err := i.KeepFiles(p.config.Dir); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := p.guard.Tell("=" + p.config.Run); err != nil { // it knows; this asks whether it is there
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createLimit)
	defer cancel()
	made, err := p.provider.CreateContainer(ctx, p.request(i, b))
	if err == nil {
		if err = p.putFiles(ctx, made.GetContainerID(), i.Files); err == nil {
			err = made.Start(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, testcontainers.TerminateContainer(made, testcontainers.StopTimeout(0)))
	}
	inst := &instance{name: i.Name, made: made, client: p.client, addr: b.addr, ports: i.Ports, dir: p.config.Dir,
		log:       logFile{path: filepath.Join(p.config.Dir, "logs", i.Name+".log"), client: p.client, id: made.GetContainerID()},
		published: map[string]string{}, gone: make(chan struct{})}
	go inst.reap(p.living)
	p.roster.Add(i.Name, inst)
	if err := inst.findPlace(ctx); err != nil {
		inst.kill()
		return nil, err
	}
	return inst, nil
}

// choosePorts gives every port of a container that may be any a number.
func choosePorts(asked map[string]int) map[string]int {
	ports := maps.Clone(asked)
	used := map[int]bool{}
	for _, number := range asked {
		used[number] = true
	}
	next := firstPort
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if asked[name] != 0 {
			continue
		}
		for used[next] {
			next++
		}
		ports[name] = next
		used[next] = true
	}
	return ports
}

// build is what a request for a container is made of beside the instance.
type build struct {
	image  string
	others bool       // the image is a user's choice
	words  []string   // empty: the image's entrypoint, with Program.Self
	user   string     // empty: the image's
	addr   netip.Addr // on the run's network
	fixed  map[string]int
}

// program chooses the image and all words of the command. An image's entrypoint
// is not asked: what is executed is what the instance says.
func (p *Platform) program(i compose.Instance) (build, error) {
	images := p.config.Images
	b := build{image: images.Named[i.Name]}
	b.others = b.image != "" && b.image != images.HAProxy
	if len(i.Program.Self) > 0 {
		if b.image == "" {
			b.image = images.Self
		}
		if b.image == "" {
			return b, errors.New("runs this binary, for which there is no image; give Images.Self, or Self to make one of")
		}
		return b, nil
	}
	if i.Program.Dir != "" {
		return b, fmt.Errorf("working directory %s is a directory of this machine, which a container does not have; leave it out", i.Program.Dir)
	}
	b.words = slices.Clone(i.Program.Command)
	switch {
	case b.image != "":
	case i.Program.Image != "": // also where its own command is called haproxy
		b.image, b.others = i.Program.Image, true
	case filepath.Base(b.words[0]) == "haproxy":
		b.image = images.HAProxy
		b.words[0] = "haproxy" // the path on this machine says nothing there
	case slices.ContainsFunc(b.words, isHTTPD):
		b.image = images.HTTPD
		b.words[slices.IndexFunc(b.words, isHTTPD)] = "httpd"
		b.user = nobody // its image begins as root, to become somebody else
	default:
		return b, fmt.Errorf("program %q: there is no image to run it in; give one", b.words[0])
	}
	return b, nil
}

// isHTTPD tells whether a word of a command is the Apache HTTP server, be it that something else executes it.
func isHTTPD(word string) bool { return filepath.Base(word) == "httpd" }

// nobody may do nothing that others may not, and is the same user in all images.
const nobody = "65534:65534"

func (p *Platform) request(i compose.Instance, b build) testcontainers.ContainerRequest {
	bindings := enginenet.PortMap{}
	var exposed []string
	for name, number := range i.Ports {
		port := strconv.Itoa(number) + "/tcp"
		exposed = append(exposed, port)
		// A port that was asked for by number is published under it, any other
		// under a free one of the engine's choice.
		bindings[enginenet.MustParsePort(port)] = []enginenet.PortBinding{
			{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: strconv.Itoa(b.fixed[name])}}
	}
	req := testcontainers.ContainerRequest{
		Name:           "throughline-" + p.config.Run + "-" + i.Name,
		Image:          b.image,
		Entrypoint:     b.words,
		Env:            i.Env,
		Labels:         map[string]string{Label: p.config.Run, "throughline.instance": i.Name},
		ExposedPorts:   exposed,
		Networks:       []string{p.network.name},
		NetworkAliases: map[string][]string{p.network.name: {i.Name}},
		ConfigModifier: func(c *container.Config) {
			c.Hostname = i.Name
			c.User = b.user
			// Nobody stops it in the engine's own way, and the engine thaws what is
			// frozen when it is sent its stop signal.
			c.StopSignal = compose.Kill.String()
			c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}} // the platform asks by itself
		},
		HostConfigModifier: func(h *container.HostConfig) {
			h.NetworkMode = container.NetworkMode(p.network.name)
			h.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
			h.PortBindings = bindings
			// Not the default of the engine, which may forget or keep too little.
			h.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1000g"}}
			confine(h, p.config.Run, b.others)
		},
		EndpointSettingsModifier: func(all map[string]*enginenet.EndpointSettings) {
			if mine := all[p.network.name]; mine != nil {
				mine.IPAMConfig = &enginenet.EndpointIPAMConfig{IPv4Address: b.addr}
			}
		},
	}
	if len(b.words) == 0 {
		req.Cmd = i.Program.Self
	}
	return req
}

// putFiles makes the instance's directory in its volume, with its files. Everybody
// may write there, because only the image knows who its user is.
func (p *Platform) putFiles(ctx context.Context, id string, files map[string]string) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	dir := path.Base(instanceDir)
	errs := []error{w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o1777, ModTime: time.Now()})}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(dir, name), Mode: 0o644, Size: int64(len(files[name])), ModTime: time.Now()}
		errs = append(errs, w.WriteHeader(h))
		_, err := w.Write([]byte(files[name]))
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, w.Close())...); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	if _, err := p.client.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: volumeDir, Content: &b}); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	return nil
}
