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

	"throughline/compose"
)

const askLimit = 10 * time.Second // for an engine to say that it is there

// Prepare sets up testcontainers, which is configured through the environment
// only and keeps what it read. Call it once, when the process begins.
//
// Its reaper is turned off, also for a user who has it on for other things: it
// is a container with the engine's socket, whose port is published on every
// address of this machine, and nobody can have that otherwise. The guard does
// its work.
func Prepare() {
	log.SetDefault(log.NewNoopLogger())
	_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") // the name is valid, and so is the next
	// Possible refuses engines that are elsewhere. Without this, testcontainers
	// looks for one elsewhere when it finds a /.dockerenv.
	if host := "TESTCONTAINERS_HOST_OVERRIDE"; os.Getenv(host) == "" {
		_ = os.Setenv(host, "localhost")
	}
}

// Possible says whether an engine is there whose containers can reach this
// program. It starts nothing.
func Possible(ctx context.Context) error {
	provider, err := connect(ctx)
	if err != nil {
		return err
	}
	return provider.Close()
}

// Engine is the version of the engine that runs would take, and where it answers. It starts nothing.
func Engine(ctx context.Context) (version, at string, err error) {
	provider, err := connect(ctx)
	if err != nil {
		return "", "", err
	}
	defer provider.Close()
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	is, err := provider.Client().ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", "", noEngine(provider.Client().DaemonHost(), err)
	}
	return is.Version, provider.Client().DaemonHost(), nil
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
// an instance that runs an image as it is: templates that expand to them, also
// where they hold braces of their own.
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
	words := slices.Concat(found.Config.Entrypoint, found.Config.Cmd)
	for n := range words {
		words[n] = compose.Literal(words[n])
	}
	return words, nil
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
