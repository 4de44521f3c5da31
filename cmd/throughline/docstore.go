package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/compose/docstore"
	"throughline/compose/owndisk"
)

func newDocstore() *cobra.Command {
	var config docstore.Config
	var ownDisk int64
	cmd := &cobra.Command{
		Use:   "docstore",
		Short: "The embedded database alone: MongoDB's protocol over a file",
		Long: `Serve MongoDB's wire protocol from a directory. It has the commands a word counter
and its checks need; what it does not have, it refuses by name. The file is verified
before it is served: one that is empty or damaged is refused. Where the disk has less
than 4 MiB left it refuses writes, until there is room again. It speaks no TLS; a
connection closed for what came over it is told on standard error.

With --replica-set it is a member of a replica set, and waits until one of the members is
told who they are (replSetInitiate, or rs.initiate in a shell). Members replicate each
write by Raft, over the port that clients use; a write is acknowledged when a majority has
it on disk, or, to a client that asks for write concern 1, when the primary has: that may be
rolled back, which serverStatus tells (rollback.acknowledged). When the primary dies another
one is elected, and a driver's retryable writes are done once. There is no password
between members: listen where nobody else can reach them.`,
		Example: `  throughline docstore --listen 127.0.0.1:27017 --data /tmp/words

  A replica set of three:
  throughline docstore --replica-set rs0 --listen 127.0.0.1:27017 --data /tmp/one
  throughline docstore --replica-set rs0 --listen 127.0.0.1:27018 --data /tmp/two
  throughline docstore --replica-set rs0 --listen 127.0.0.1:27019 --data /tmp/three
  mongosh 'mongodb://127.0.0.1:27017/?directConnection=true' --eval \
    'rs.initiate({_id: "rs0", members: [{_id: 0, host: "127.0.0.1:27017"}, {_id: 1, host: "127.0.0.1:27018"}, {_id: 2, host: "127.0.0.1:27019"}]})'`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config.Dir == "" {
				return cli.Usage(errors.New("docstore: --data is not given; name a directory"))
			}
			if config.ForgetEvery < 0 {
				return cli.Usage(fmt.Errorf("docstore: --forget-every %d: want a number from 1, or 0 to keep all", config.ForgetEvery))
			}
			if err := cli.HostPort("listen", config.Listen, "127.0.0.1:27017"); err != nil {
				return cli.Usage(err)
			}
			if err := checkMember(cmd, config); err != nil {
				return cli.Usage(err)
			}
			if ownDisk > 0 {
				return cli.Unable(onOwnDisk(config, ownDisk))
			}
			config.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return cli.Unable(docstore.Run(cmd.Context(), config))
		},
	}
	cmd.Flags().StringVar(&config.Listen, "listen", "127.0.0.1:27017", "address to serve")
	cmd.Flags().StringVar(&config.Dir, "data", "", "directory of the database file; made if it is not there")
	cmd.Flags().IntVar(&config.ForgetEvery, "forget-every", 0, "acknowledge every nth update and do not keep it, as a primary whose writes are rolled back; 0 keeps all")
	cmd.Flags().Int64Var(&ownDisk, "own-disk", 0, "put --data on a file system of its own, in memory, of so many bytes, which goes with the process; on Linux, as root")
	cmd.Flags().StringVar(&config.ReplicaSet, "replica-set", "", "be a member of the replica set of this name")
	cmd.Flags().StringVar(&config.Advertise, "advertise", "", "address under which clients and the other members reach this one; where it is not that of --listen")
	cmd.Flags().StringVar(&config.PeerProxy, "peer-proxy", "", "HTTP proxy through which this member reaches the others (CONNECT), so that what is between them can be cut; empty: it reaches them directly")
	cmd.Flags().DurationVar(&config.Election, "election-timeout", time.Second, "elect another primary when nothing is heard of one for so long")
	return cmd
}

// checkMember refuses what only a member of a replica set can be told, and what it cannot.
func checkMember(cmd *cobra.Command, c docstore.Config) error {
	if c.ReplicaSet == "" {
		for _, flag := range []string{"advertise", "election-timeout", "peer-proxy"} {
			if cmd.Flags().Changed(flag) {
				return fmt.Errorf("docstore: --%s is for a member of a replica set; name its set with --replica-set", flag)
			}
		}
		return nil
	}
	if err := docstore.CheckSetName(c.ReplicaSet); err != nil {
		return fmt.Errorf("docstore: --replica-set: %w", err)
	}
	if c.Election < leastElection || c.Election > mostElection {
		return fmt.Errorf("docstore: --election-timeout %v: want %v to %v", c.Election, leastElection, mostElection)
	}
	if c.PeerProxy != "" {
		if err := cli.HostPort("peer-proxy", c.PeerProxy, "127.0.0.1:3128"); err != nil {
			return err
		}
	}
	if c.Advertise == "" {
		return nil
	}
	return cli.HostPort("advertise", c.Advertise, "db-1:27017")
}

// An election takes a few messages between the members, each of which waits for a disk.
const leastElection, mostElection = 100 * time.Millisecond, time.Minute

// onOwnDisk executes docstore again, where its data is on a file system of its own.
func onOwnDisk(c docstore.Config, size int64) error {
	self, err := platforms.OwnFile()
	if err != nil {
		return err
	}
	args := []string{self, "docstore", "--listen", c.Listen, "--data", c.Dir, "--forget-every", strconv.Itoa(c.ForgetEvery)}
	if c.ReplicaSet != "" {
		args = append(args, "--replica-set", c.ReplicaSet, "--election-timeout", c.Election.String(), "--advertise", c.Advertise, "--peer-proxy", c.PeerProxy)
	}
	return owndisk.Exec(c.Dir, size, self, args)
}
