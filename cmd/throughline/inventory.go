package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/live/inventory"
	"throughline/live/remote"
)

func newInventory() *cobra.Command {
	var at, format, host string
	var list bool
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "List the instances of the application in the stack that is there, for Ansible and Prometheus",
		Long: `List the web instances of the stack that throughline up or run has brought up, as they
are at the moment, in a format that other programs read:

  ansible       a dynamic inventory: groups by role, zone and version, and what is known
                of each host (--list is this too; --host NAME gives one host's variables)
  prometheus    targets with their labels, for file_sd
  json          all that is known

The page of the stack answers the same over HTTP, so that Prometheus' http_sd needs no
file: http://127.0.0.1:8900/inventory/prometheus. (With --page off there is neither.)
While the stack is coming or going, nobody is listed. The exit status is 4 when no stack
is there.`,
		Example: `  throughline inventory --format prometheus > targets.json
  throughline inventory --host web-2
  printf '#!/bin/sh\nexec throughline inventory "$@"\n' > hosts.sh; chmod +x hosts.sh; ansible -i hosts.sh web --list-hosts`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := inventory.Write(format, nil); err != nil {
				return cli.Usage(fmt.Errorf("--format %w", err))
			}
			c, err := remote.FindAny(at)
			if err != nil {
				return cli.Unable(fmt.Errorf("inventory: %w", err))
			}
			hosts, err := inventory.Fetch(cmd.Context(), c.URL)
			if err != nil {
				return cli.Unable(fmt.Errorf("inventory: %w", err))
			}
			text, err := inventory.Write(format, hosts)
			if host != "" {
				text, err = inventory.Variables(hosts, host)
			}
			if err != nil {
				return cli.Unable(fmt.Errorf("inventory: %w", err))
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&at, "at", "", "address of the page of the stack (default: the newest that is there)")
	f.StringVar(&format, "format", inventory.Ansible, "of the list: ansible, prometheus or json")
	f.StringVar(&host, "host", "", "only the variables of this instance, as Ansible asks for them")
	f.BoolVar(&list, "list", false, "all instances, which is the default; Ansible asks so")
	return cmd
}
