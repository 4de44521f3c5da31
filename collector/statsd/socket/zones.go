package socket

import (
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// zones remembers the names of interfaces by their number: to ask for one takes
// several system calls.
type zones map[uint32]string

// maxZones bounds zones where interfaces come and go.
const maxZones = 1000

// name is the name of an interface, or its number when it is gone.
func (z zones) name(id uint32) string {
	name, ok := z[id]
	if !ok {
		name = strconv.FormatUint(uint64(id), 10)
		if i, err := net.InterfaceByIndex(int(id)); err == nil {
			name = i.Name
		}
		if len(z) >= maxZones {
			clear(z)
		}
		z[id] = name
	}
	return name
}

// address is an IPv4 address as such also where the kernel gives it as IPv6.
func (z zones) address(ip [16]byte, zone uint32) netip.Addr {
	a := netip.AddrFrom16(ip).Unmap()
	if zone != 0 {
		a = a.WithZone(z.name(zone))
	}
	return a
}

// addrPort is not valid for addresses without a port.
func (z zones) addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(z.address(a.Addr, a.ZoneId), uint16(a.Port))
	}
	return netip.AddrPort{}
}
