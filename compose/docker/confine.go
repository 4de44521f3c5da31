package docker

import (
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// limits is what one container may take of the machine. Memory has no swap
// beside it: an instance that swaps would pass for a slow one.
type limits struct {
	memory int64 // bytes; more, and the kernel kills it
	pids   int64 // processes and threads; more, and it cannot start another
}

// What is ours needs a tenth of it. Of what is others' nobody knows: a JVM takes
// a quarter of its memory for its heap, and MongoDB half for its cache.
var (
	oursLimits   = limits{memory: 1 << 30, pids: 1024}
	othersLimits = limits{memory: 4 << 30, pids: 4096}
)

// becoming are the capabilities with which an image that begins as root makes
// its directories and becomes an ordinary user, as most published ones do.
var becoming = []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"}

// confine takes from a container what it does not need, as compose.yaml does.
// What others have made is kept whole: its root file system can be written, and
// it may become another user. The instance's own directory is a volume, which
// also a container with a read-only root can be given files in.
func confine(h *container.HostConfig, run string, others bool) {
	most := oursLimits
	if others {
		most = othersLimits
		h.CapAdd = becoming
	} else {
		h.ReadonlyRootfs = true
		h.Tmpfs = map[string]string{"/tmp": "mode=1777"}
	}
	h.CapDrop = []string{"ALL"}
	h.SecurityOpt = []string{"no-new-privileges"}
	h.Memory, h.MemorySwap, h.PidsLimit = most.memory, most.memory, &most.pids
	h.Mounts = append(h.Mounts, mount.Mount{Type: mount.TypeVolume, Target: volumeDir,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{Label: run}}})
}
