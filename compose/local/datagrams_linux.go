package local

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"throughline/compose"
)

var _ compose.Dropper = (*instance)(nil)

// Dropped implements compose.Dropper: what the kernel counts of the sockets that are bound to the port.
// Source: the last column of /proc/net/udp, see net/ipv4/udp.c (udp4_format_sock) of Linux.
func (i *instance) Dropped(port string) (int64, error) {
	number, ok := i.ports[port]
	if !ok {
		return 0, fmt.Errorf("%s: no port %s", i.name, port)
	}
	var sum int64
	for _, table := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		data, err := os.ReadFile(table)
		if os.IsNotExist(err) { // IPv6 is off
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("datagrams dropped at port %d: %w", number, err)
		}
		n, err := droppedOf(string(data), number)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", table, err)
		}
		sum += n
	}
	return sum, nil
}

// takesDatagrams is nil when a socket of the group, or of a descendant of its leader, is bound to the port.
func (*table) takesDatagrams(port, group int) error {
	for _, table := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		data, _ := os.ReadFile(table) // udp6 is missing where IPv6 is off
		for _, columns := range bound(string(data), port) {
			if inode := columns[9]; holds(group, inode) || familyHolds(group, inode) {
				return nil
			}
			return fmt.Errorf("port %d takes datagrams for a process that is not of process %d, which was started for it", port, group)
		}
	}
	return fmt.Errorf("nobody takes datagrams at %s", hostPort(port))
}

// bound are the columns of what a table of the kernel tells of the sockets that are bound to a port. Its first line is the heads of the
// columns.
func bound(table string, port int) (all [][]string) {
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		if columns := strings.Fields(line); len(columns) > 12 && strings.HasSuffix(columns[1], suffix) {
			all = append(all, columns)
		}
	}
	return all
}

// droppedOf adds up what a table of the kernel tells of a port.
func droppedOf(table string, port int) (sum int64, err error) {
	for _, columns := range bound(table, port) {
		last := columns[len(columns)-1]
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("drops %q of port %d: %w", last, port, err)
		}
		sum += n
	}
	return sum, nil
}
