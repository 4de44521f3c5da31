package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

const (
	sessionPrefix = "throughline-"
	sessionLabel  = "org.testcontainers.sessionId"
	reaperLabel   = "org.testcontainers.ryuk"
	askLimit      = 10 * time.Second // for an engine to say that it is there
)

// Prepare sets up testcontainers, which is configured through the environment
// only and keeps what it read. Call it once, when the process begins. What the
// user has set stays.
//
// session must be unique among all processes that use the engine: what carries
// the session is removed once the process is gone. Testcontainers' own choice
// is the same for all children of one shell, and then a killed run would live
// as long as its neighbour.
func Prepare(session string) {
	log.SetDefault(log.NewNoopLogger())
	for key, value := range map[string]string{
		"TESTCONTAINERS_SESSION_ID": sessionPrefix + session,
		// Possible refuses engines that are elsewhere. Without this,
		// testcontainers looks for one elsewhere when it finds a /.dockerenv.
		"TESTCONTAINERS_HOST_OVERRIDE": "localhost",
	} {
		if os.Getenv(key) == "" {
			_ = os.Setenv(key, value) // these names are valid
		}
	}
}

// Possible says whether an engine is there whose containers can reach this
// program, and with it the image of the reaper, which is pulled if it is
// missing. It starts nothing.
func Possible(ctx context.Context) error {
	provider, err := connect(ctx)
	if err != nil {
		return err
	}
	if err := ensureReaper(ctx, provider); err != nil {
		return errors.Join(fmt.Errorf("docker: the reaper: %w", err), provider.Close())
	}
	return provider.Close()
}

func connect(ctx context.Context) (*testcontainers.DockerProvider, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	// Testcontainers goes on to other engines when this one does not answer;
	// who names one means it.
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		if err := ping(ctx); err != nil {
			return nil, noEngine("DOCKER_HOST="+host, err)
		}
	}
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(log.NewNoopLogger()))
	if err != nil {
		return nil, noEngine("the usual sockets", err)
	}
	info, err := provider.Client().Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, noEngine(provider.Client().DaemonHost(), err)
	}
	if info.Info.OSType != "linux" {
		return nil, fmt.Errorf("docker: the engine runs %s containers; use one for Linux, or --platform local", info.Info.OSType)
	}
	// The engine's default network tells early whether it is on this machine. An
	// engine may have none; New looks at the run's own network too.
	bridge, err := provider.Client().NetworkInspect(ctx, testcontainers.Bridge, client.NetworkInspectOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("docker: the default network: %w", err)
	}
	for _, c := range bridge.Network.IPAM.Config {
		if c.Subnet.Addr().Is4() && !isOurs(c.Subnet.Contains) {
			return nil, fmt.Errorf("docker: %w", notHere(c.Subnet.String()))
		}
	}
	return provider, nil
}

func ping(ctx context.Context) error {
	c, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Ping(ctx, client.PingOptions{})
	return err
}

func noEngine(where string, err error) error {
	said := strings.ReplaceAll(err.Error(), "\n", "; ")
	return fmt.Errorf("docker: no engine answers at %s: %s; start Docker, or use --platform local", where, said)
}

// Image makes sure that the image is there, pulls it if it is not, and gives
// what it executes by itself: its entrypoint and command. That is the Command of
// an instance that runs an image as it is.
func Image(ctx context.Context, ref string) ([]string, error) {
	provider, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer provider.Close()
	if err := ensureImage(ctx, provider.Client(), ref); err != nil {
		return nil, err
	}
	found, err := provider.Client().ImageInspect(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", ref, err)
	}
	if found.Config == nil {
		return nil, nil
	}
	return slices.Concat(found.Config.Entrypoint, found.Config.Cmd), nil
}

func ensureImage(ctx context.Context, c client.APIClient, ref string) error {
	_, err := c.ImageInspect(ctx, ref)
	if err == nil {
		return nil
	}
	if !errdefs.IsNotFound(err) {
		return fmt.Errorf("image %s: %w", ref, err)
	}
	pull, err := c.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err == nil {
		err = errors.Join(pull.Wait(ctx), pull.Close())
	}
	if err != nil {
		return fmt.Errorf("image %s: is not there and cannot be pulled; check the name, or pull or build it: %w", ref, err)
	}
	return nil
}

// ensureReaper pulls the reaper's image: testcontainers would try again for a
// quarter of an hour where there is no way to it.
func ensureReaper(ctx context.Context, provider *testcontainers.DockerProvider) error {
	config := provider.Config().Config
	if config.RyukDisabled || config.HubImageNamePrefix != "" {
		return nil
	}
	//lint:ignore SA1019 the name has no other home that can be reached
	return ensureImage(ctx, provider.Client(), testcontainers.ReaperDefaultImage)
}

// sweep removes what carries the run's label. When nothing else is left of this
// process's session, the reaper goes too: it would stay for ten seconds.
func (p *Platform) sweep(ctx context.Context) error {
	filter := make(client.Filters).Add("label", Label+"="+p.config.Run)
	var errs []error
	containers, err := p.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	errs = append(errs, err)
	for _, c := range containers.Items {
		errs = append(errs, p.removeContainer(ctx, c.ID))
	}
	networks, err := p.client.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	errs = append(errs, err)
	for _, n := range networks.Items {
		if _, err := p.client.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{}); !errdefs.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, p.dismissReaper(ctx), p.client.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("docker: remove what carries the label %s=%s: %w", Label, p.config.Run, err)
	}
	return nil
}

func (p *Platform) dismissReaper(ctx context.Context) error {
	session := testcontainers.SessionID()
	if !strings.HasPrefix(session, sessionPrefix) {
		return nil // others may share it
	}
	filter := make(client.Filters).Add("label", sessionLabel+"="+session)
	containers, err := p.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		return err
	}
	networks, err := p.client.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil || len(networks.Items) > 0 || len(containers.Items) != 1 || containers.Items[0].Labels[reaperLabel] == "" {
		return err
	}
	return p.removeContainer(ctx, containers.Items[0].ID)
}

func (p *Platform) removeContainer(ctx context.Context, id string) error {
	_, err := p.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	if errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress") {
		return nil // the reaper ends by itself and removes itself
	}
	return err
}
