package kubernetes

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"throughline/compose"
	"throughline/compose/kubernetes/inside"
)

// HAProxyImage is what a Command called haproxy is executed in.
const HAProxyImage = "haproxy:3.0"

const (
	instanceContainer = "instance"
	ownDir            = "/instance"
	instanceDir       = ownDir + "/own" // {{.Dir}}
	binaryDir         = "/throughline-binary"
	everywhere        = "0.0.0.0" // {{.Host}}: a pod has an address of its own
	firstPort         = 8080      // for ports that may be any
	selfUser          = 65532     // runs all pods: a number, which needs no list of users
)

// imageBinary is this binary in its image.
const imageBinary = "/" + inside.Binary

// Of the memory that it may take (it has no swap) an instance needs a tenth; what is asked for keeps a node from being given too many.
var (
	memoryLimit = resource.MustParse("1Gi")
	memoryAsked = resource.MustParse("64Mi")
	cpuAsked    = resource.MustParse("10m")
)

// validName refuses what no pod can be called.
func validName(name string) error {
	if said := validation.IsDNS1123Subdomain(name); len(said) > 0 {
		return fmt.Errorf("instance name %q: no pod can be called so: %s", name, strings.Join(said, "; "))
	}
	return nil
}

// build is what the pod of an instance is made of.
type build struct {
	image  string
	others bool // the image is not ours: this binary has to be put beside it
	what   inside.Program
}

// program chooses the image, and what is executed in it. It reads no templates.
func (p *Platform) program(i compose.Instance) (build, error) {
	images := p.config.Images
	if len(i.Program.Self) > 0 {
		return build{image: images.Self, what: inside.Program{Self: true}}, nil
	}
	switch {
	case i.Program.Dir != "":
		return build{}, fmt.Errorf("working directory %s is a directory of this machine, which a pod does not have; leave it out", i.Program.Dir)
	case i.Program.Image != "":
		return build{}, fmt.Errorf("image %s: what an image executes by itself is not known to the cluster's API; take --platform docker", i.Program.Image)
	case filepath.Base(i.Program.Command[0]) == "haproxy":
		return build{image: images.HAProxy, others: true}, nil
	}
	return build{}, fmt.Errorf("program %q: there is no image to run it in", i.Program.Command[0])
}

// choosePorts gives every port that may be any a number that none had before in the run: at an address that was another instance's,
// nobody answers for that.
func (p *Platform) choosePorts(asked map[string]int) (map[string]int, error) {
	ports := maps.Clone(asked)
	used := map[int]bool{}
	for _, number := range asked {
		used[number] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if asked[name] != 0 {
			continue
		}
		for p.port++; used[p.port]; {
			p.port++
		}
		if p.port > math.MaxUint16 {
			return nil, errors.New("every port was given out in this run; start fewer instances")
		}
		ports[name] = p.port
	}
	return ports, nil
}

// pod is the pod of an instance, which asks at the gate with the token what to execute.
func (p *Platform) pod(i compose.Instance, b build, token string) *core.Pod {
	binary := imageBinary
	volumes := []core.Volume{empty("own"), empty("tmp")}
	mounts := []core.VolumeMount{{Name: "own", MountPath: ownDir}, {Name: "tmp", MountPath: "/tmp"}}
	var before []core.Container
	if b.others {
		binary = path.Join(binaryDir, inside.Binary)
		volumes = append(volumes, empty("binary"))
		mount := core.VolumeMount{Name: "binary", MountPath: binaryDir}
		mounts = append(mounts, mount)
		before = []core.Container{p.container("binary", p.config.Images.Self, []core.VolumeMount{mount}, p.words(imageBinary, "copy", binaryDir))}
	}
	main := p.container(instanceContainer, b.image, mounts, p.words(binary, "run", p.gate.addr(), i.Name))
	main.Env = []core.EnvVar{{Name: inside.TokenVariable, Value: token}}
	for _, name := range slices.Sorted(maps.Keys(i.Ports)) {
		main.Ports = append(main.Ports, core.ContainerPort{ContainerPort: int32(i.Ports[name])})
	}
	grace := i.Stop
	if grace <= 0 {
		grace = compose.DefaultStop
	}
	pod := p.bare(i.Name, instancesAccount, int64(math.Ceil(grace.Seconds())))
	pod.Labels[nameLabel] = i.Name
	pod.Spec.Volumes, pod.Spec.InitContainers, pod.Spec.Containers = volumes, before, []core.Container{main}
	return pod
}

// words are a command of this binary in a pod.
func (p *Platform) words(binary string, more ...string) []string {
	return slices.Concat([]string{binary}, p.config.Pod, more)
}

func empty(name string) core.Volume {
	return core.Volume{Name: name, VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}}
}

// bare is a pod of the run, without containers, that nothing starts again. grace is in seconds.
func (p *Platform) bare(name, account string, grace int64) *core.Pod {
	no, yes, user := false, true, int64(selfUser)
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{Label: p.config.Run}},
		Spec: core.PodSpec{
			RestartPolicy: core.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
			ServiceAccountName: account, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			SecurityContext: &core.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
				SeccompProfile: &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}},
		},
	}
}

// container takes from a container what it does not need, as compose/docker does.
func (p *Platform) container(name, image string, mounts []core.VolumeMount, command []string) core.Container {
	no, yes := false, true
	pull := core.PullIfNotPresent
	if image == p.config.Images.Self && !p.config.Images.Pull {
		pull = core.PullNever
	}
	return core.Container{
		Name: name, Image: image, ImagePullPolicy: pull, Command: command, VolumeMounts: mounts,
		Resources: core.ResourceRequirements{
			Limits:   core.ResourceList{core.ResourceMemory: memoryLimit},
			Requests: core.ResourceList{core.ResourceMemory: memoryAsked, core.ResourceCPU: cpuAsked},
		},
		SecurityContext: &core.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}}},
	}
}
