package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

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
connection closed for what came over it is told on standard error.`,
		Example: `  throughline docstore --listen 127.0.0.1:27017 --data /tmp/words`,
		Args:    cli.NoOperands,
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
	return cmd
}

// onOwnDisk executes docstore again, where its data is on a file system of its own.
func onOwnDisk(c docstore.Config, size int64) error {
	self, err := platforms.OwnFile()
	if err != nil {
		return err
	}
	return owndisk.Exec(c.Dir, size, self, []string{self, "docstore", "--listen", c.Listen, "--data", c.Dir, "--forget-every", strconv.Itoa(c.ForgetEvery)})
}
