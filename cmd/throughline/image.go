package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/compose/kubernetes"
)

func newImage() *cobra.Command {
	var registry string
	cmd := &cobra.Command{
		Use:   "image [FILE]",
		Short: "Write the image of this program that --platform kubernetes runs",
		Long: `Write the image that holds this program and nothing else, as an archive, and print its name. Its
tag is made of the program's content, so that a run never takes another build for it.

The nodes of a cluster need it for --platform kubernetes: load it into each of them, or
push it to a registry that they pull from, and name that with --registry here and in runs.
Without FILE only the name is printed.`,
		Example: `  throughline image throughline.tar && kind load image-archive throughline.tar
  throughline image throughline.tar && ctr -n k8s.io images import throughline.tar
  throughline image --registry registry.example.com/test throughline.tar
  skopeo copy docker-archive:throughline.tar docker://$(throughline image --registry registry.example.com/test)`,
		Args: cli.Operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.Unable(writeImage(cmd, registry, args))
		},
	}
	cmd.Flags().StringVar(&registry, "registry", "", "host, and path if it has one, under which nodes pull it (default: they have it)")
	return cmd
}

// writeImage writes it to a file, if one is named, and prints its name.
func writeImage(cmd *cobra.Command, registry string, args []string) error {
	self, err := platforms.OwnFile()
	if err != nil {
		return err
	}
	ref, err := kubernetes.ImageOf(self, registry)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		var archive bytes.Buffer
		if err := kubernetes.WriteImage(&archive, self, ref); err != nil {
			return err
		}
		if err := os.WriteFile(args[0], archive.Bytes(), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintln(cmd.OutOrStdout(), ref)
	return nil
}
