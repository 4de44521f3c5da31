//go:build linux

// Cluster brings a Kubernetes of several nodes up on this machine, for tests, and takes it down; docs/KUBERNETES.md says what
// it is made of. `make cluster` builds it next to the programs that it starts.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"throughline/cluster/host"
	"throughline/cluster/image"
	"throughline/cluster/node"
	"throughline/cluster/plan"
)

func main() {
	if err := root().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// options are the flags of all commands.
type options struct {
	index, nodes int
	bin          string
}

func root() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "a Kubernetes of several nodes on this machine, for tests",
		Long: `A Kubernetes of several nodes on this machine, for tests: its own programs, each node in namespaces of its own
with a container runtime and a network. Pods, Services and NodePorts are reached from this machine.
It wants root. Clusters are told apart by --index, and several run side by side.`,
		SilenceErrors: true, SilenceUsage: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.PersistentFlags().IntVar(&o.index, "index", 0, fmt.Sprintf("which cluster, from 0 to %d", plan.Clusters-1))
	cmd.PersistentFlags().StringVar(&o.bin, "bin", "", "folder with the programs of Kubernetes (default: where this program is)")
	up := o.command("up", "bring the cluster up, all nodes Ready, and leave it running", func(c *host.Cluster, _ string) error {
		return c.Up(o.nodes)
	})
	hold := o.command("hold", "bring the cluster up for as long as standard input lasts, for tests", func(c *host.Cluster, _ string) error {
		return c.Hold(o.nodes, os.Stdin, os.Stdout)
	})
	for _, c := range []*cobra.Command{up, hold} {
		c.Flags().IntVar(&o.nodes, "nodes", 3, fmt.Sprintf("how many nodes at least, up to %d", plan.MaxNodes))
	}
	cmd.AddCommand(up, hold,
		o.command("down", "take the cluster down, and remove what a killed one has left", func(c *host.Cluster, _ string) error { return c.Down() }),
		o.command("load ARCHIVE", "put the images of a `docker save` onto every node", (*host.Cluster).Load),
		o.command("kill-node NODE", "pull a node's plug", (*host.Cluster).KillNode),
		o.command("start-node NODE", "start a node that was killed", (*host.Cluster).StartNode),
		o.command("kill-kubelet NODE", "end a node's kubelet alone; its containers go on", (*host.Cluster).KillKubelet),
		o.command("start-kubelet NODE", "start a kubelet that was killed", (*host.Cluster).StartKubelet),
		o.command("kubeconfig", "print the path of the cluster's kubeconfig", func(c *host.Cluster, _ string) error {
			_, err := fmt.Println(c.Kubeconfig())
			return err
		}),
		packCommand(), nodeCommand(&o))
	return cmd
}

// command makes one that does something to the cluster, with the argument that its usage names, if any.
func (o *options) command(use, short string, do func(c *host.Cluster, arg string) error) *cobra.Command {
	wants := cobra.NoArgs
	if strings.Contains(use, " ") {
		wants = cobra.ExactArgs(1)
	}
	return &cobra.Command{Use: use, Short: short, Args: wants, RunE: func(_ *cobra.Command, args []string) error {
		if o.bin == "" {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			o.bin = filepath.Dir(self)
		}
		c, err := host.Open(o.index, o.bin, os.Stderr)
		if err != nil {
			return err
		}
		return do(c, append(args, "")[0])
	}}
}

func packCommand() *cobra.Command {
	return &cobra.Command{Use: "pack PROGRAM IMAGE ARCHIVE", Short: "pack a static program as an image for load",
		Args: cobra.ExactArgs(3), RunE: func(_ *cobra.Command, args []string) error {
			to, err := os.Create(args[2])
			if err != nil {
				return err
			}
			return errors.Join(image.Write(to, args[1], args[0]), to.Close())
		}}
}

// nodeCommand is what package host starts: process 1 of a node.
func nodeCommand(o *options) *cobra.Command {
	var n node.Node
	var nodes int
	cmd := &cobra.Command{Use: host.NodeProgram + " NODE", Hidden: true, Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		var err error
		if n.Cluster, err = plan.New(o.index, nodes); err != nil {
			return err
		}
		if n.Node, err = n.Cluster.Find(args[0]); err != nil {
			return err
		}
		n.Bin = o.bin
		return node.Run(n, os.NewFile(3, "cabled"))
	}}
	cmd.Flags().IntVar(&nodes, "nodes", 0, "how many nodes there are")
	cmd.Flags().StringVar(&n.Home, "home", "", "the node's folder")
	cmd.Flags().StringVar(&n.Door, "door", "", "by which the node enters its control group")
	return cmd
}
