package fault

import "context"

// Hypervisor counts what instances use.
type Hypervisor interface {
	// Mute has it tell nobody what these instances use; none: all web instances.
	Mute(instances ...string)
	// Unmute ends that, and gives how many samples were not told.
	Unmute() Touched
}

// MuteCloudWatch keeps a hypervisor from telling what instances use.
type MuteCloudWatch struct {
	Hypervisor Hypervisor
	Instances  []string // none: all
}

// Possible is nil: a stack with CloudWatch has a hypervisor.
func (MuteCloudWatch) Possible() error { return nil }

// Inject returns when nothing more is told.
func (m MuteCloudWatch) Inject(context.Context) (Heal, error) {
	m.Hypervisor.Mute(m.Instances...)
	return func(context.Context) (Touched, error) { return m.Hypervisor.Unmute(), nil }, nil
}
