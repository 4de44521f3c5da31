package cli

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// NewMan is a hidden command that writes the manual pages of the program, one for each command, made of what their help
// says. Whoever packages the program calls it. The pages bear the date of SOURCE_DATE_EPOCH (seconds since 1970), so that the
// same source gives the same bytes.
func NewMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into a directory",
		Hidden: true,
		Args:   Operands(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := time.Now()
			if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
				seconds, err := strconv.ParseInt(epoch, 10, 64)
				if err != nil {
					return Usage(fmt.Errorf("SOURCE_DATE_EPOCH %s: want seconds since 1970", epoch))
				}
				at = time.Unix(seconds, 0)
			}
			at = at.UTC()
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return Unable(fmt.Errorf("%s: cannot be made: %w", args[0], Reason(err)))
			}
			root := cmd.Root()
			inMarkdown(root)
			err := doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{Path: args[0], CommandSeparator: "-",
				Header: &doc.GenManHeader{Section: "1", Date: &at, Source: root.Name() + " " + Version(), Manual: "User Commands"}})
			if err != nil {
				return Unable(fmt.Errorf("%s: the manual pages cannot be written: %w", args[0], Reason(err)))
			}
			return nil
		},
	}
}

// inMarkdown turns the help of a command, and of those below it, into what the maker of the pages reads.
func inMarkdown(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	cmd.Long, cmd.Short = markdown(cmd.Long), escaped.Replace(cmd.Short)
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { f.Usage = escaped.Replace(f.Usage) })
	for _, sub := range cmd.Commands() {
		inMarkdown(sub)
	}
}

// escaped has no character left that Markdown takes for more than itself.
var escaped = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, "`", "\\`", `<`, `\<`, `>`, `\>`, `[`, `\[`, `]`, `\]`, `#`, `\#`, `~`, `\~`, `|`, `\|`)

// listed is a line that Markdown would take for an item of a list.
var listed = regexp.MustCompile(`^(?:[-+]|\d+[.)]) `)

// markdown is a help text as Markdown: what is indented stays as it is.
func markdown(text string) string {
	var out strings.Builder
	was := false
	for line := range strings.SplitSeq(text, "\n") {
		asIs := strings.HasPrefix(line, " ") || was && line == ""
		if asIs != was {
			out.WriteString("\n")
		}
		switch was = asIs; {
		case asIs:
			out.WriteString("    " + line)
		case listed.MatchString(line):
			out.WriteString(`\` + escaped.Replace(line))
		default:
			out.WriteString(escaped.Replace(line))
		}
		out.WriteString("\n")
	}
	return out.String()
}
