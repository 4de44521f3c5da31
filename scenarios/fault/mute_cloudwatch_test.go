package fault

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// talker notes what it is told.
type talker struct{ muted []string }

func (t *talker) Mute(instances ...string) { t.muted = append(t.muted, instances...) }

func (t *talker) Unmute() Touched {
	t.muted = append(t.muted, "unmuted")
	return Touched{"web-2": 4}
}

func TestMuteCloudWatch(t *testing.T) {
	var h talker
	f := MuteCloudWatch{Hypervisor: &h, Instances: []string{"web-2"}}
	if err := f.Possible(); err != nil {
		t.Error(err)
	}
	heal, err := f.Inject(t.Context())
	if err != nil || !slices.Equal(h.muted, []string{"web-2"}) {
		t.Errorf("muted %q, %v", h.muted, err)
	}
	touched, err := heal(t.Context())
	if diff := cmp.Diff(Touched{"web-2": 4}, touched); err != nil || diff != "" || !slices.Equal(h.muted, []string{"web-2", "unmuted"}) {
		t.Errorf("muted %q, %v (-want +got):\n%s", h.muted, err, diff)
	}
}
