package local

import (
	"net"
	"os"
	"testing"
)

func TestDroppedOf(t *testing.T) {
	const table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n" +
		"  402: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 ffff 17\n" +
		"  403: 00000000:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 ffff 3\n" +
		"  404: 0100007F:1F91 00000000:1F90 07 00000000:00000000 00:00000000 00000000     0        0 1 2 ffff 99\n"
	if n, err := droppedOf(table, 8080); n != 20 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := droppedOf(table, 8082); n != 0 || err != nil {
		t.Errorf("nobody's port: %d, %v", n, err)
	}
	if _, err := droppedOf("1: 0:1F90 2 3 4 5 6 7 8 9 10 11 x", 8080); err == nil {
		t.Error("a column that is no number: no error")
	}
}

func TestASuccessorHasThePorts(t *testing.T) {
	b, err := newPortBook()
	if err != nil {
		t.Fatal(err)
	}
	defer b.release()
	first, err := b.take("agent-2", "", map[string]int{"statsd": 0})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.take("agent-3", "", first); err == nil {
		t.Error("a stranger has its port")
	}
	if _, err := b.take("agent-3", "agent-1", first); err == nil {
		t.Error("the successor of another has its port")
	}
	for _, next := range [][2]string{{"agent-2.2", "agent-2"}, {"agent-2.3", "agent-2.2"}} {
		if got, err := b.take(next[0], next[1], first); err != nil || got["statsd"] != first["statsd"] {
			t.Errorf("%s: %v, %v", next[0], got, err)
		}
	}
}

// Whoever is bound to the port takes datagrams; nobody else's socket counts.
func TestTakesDatagrams(t *testing.T) {
	in, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := in.LocalAddr().(*net.UDPAddr).Port
	var of table
	if err := of.takesDatagrams(port, os.Getpid()); err != nil {
		t.Errorf("its own: %v", err)
	}
	if err := of.takesDatagrams(port, 1<<22+1); err == nil {
		t.Error("another's: no error")
	}
	in.Close()
	if err := of.takesDatagrams(port, os.Getpid()); err == nil {
		t.Error("nobody's: no error")
	}
}
