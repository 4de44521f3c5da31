// Package job runs this program in a cluster, as a Job: what the cluster is given ([Spec.Objects]), what has to be there before
// ([Preflight]), and the Job while it lives ([Submit]): whether its pod runs, a way to its ports, and its removal.
//
// It is not the platform, which is package kubernetes and which the program in the Job uses like any other, and it knows nothing
// of what the program does there. The objects are made without a cluster; those that are printed are those that are created.
// The command line calls it.
package job

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"throughline/compose/kubernetes"
	"throughline/compose/kubernetes/inside"
)

// Label is on everything that belongs to a Job of ours; its value is Spec.Run. What the run itself makes has kubernetes.Label.
const Label = "throughline.harness"

const (
	prefix    = "throughline-harness-"
	container = "harness"
	user      = 65532

	// Files is where the pod has Spec.Files, and Records where it can write what is handed over.
	Files   = "/scenario"
	Records = "/record"
)

const (
	filesLimit = 1 << 20 // of a Secret, in bytes
	stopGrace  = 90      // seconds for a run that is told to stop to write its record
	attended   = 60      // seconds until a Job is deleted that somebody looked after
	unattended = 24 * 60 * 60
)

// What the program takes: load, collector and record of a run. More than a run takes, so that it is not the first that a node ends.
var (
	memoryAsked = resource.MustParse("256Mi")
	memoryLimit = resource.MustParse("4Gi")
	cpuAsked    = resource.MustParse("250m")
)

// Spec says what is to run.
type Spec struct {
	Run       string // unique on the cluster: lower-case letters, digits and '-', at most 30
	Namespace string // one of ours that is there and stays; empty: one of its own, which is made and deleted
	Image     string // of this program
	Pull      bool   // nodes pull it; else they have it
	Args      []string
	// Files are what the program is to read, by their path below Files. They are kept as secret as the cluster keeps a Secret.
	Files map[string][]byte
	// Secrets are variables of the environment. $(NAME) in Args is the value of NAME, which no object but the Secret has then.
	Secrets map[string]string
	// Attended says that somebody waits for the end, removes everything, and is missed if he does not: the program may delete what it
	// was made of itself. Otherwise the Job and its log stay for a day.
	Attended bool
	Kept     bool // all stays until somebody deletes it, or for a day
}

// Name is what the Job and all that belongs to it is called.
func (s Spec) Name() string { return prefix + s.Run }

// In is the namespace that the Job is in.
func (s Spec) In() string {
	if s.Namespace != "" {
		return s.Namespace
	}
	return s.Name()
}

// Check refuses what no cluster would take.
func (s Spec) Check() error {
	if said := validation.IsDNS1123Label(s.Run); len(said) > 0 || len(s.Run) > 30 {
		return fmt.Errorf("run %q: want at most 30 lower-case letters, digits and '-'", s.Run)
	}
	if said := validation.IsDNS1123Label(s.Namespace); s.Namespace != "" && len(said) > 0 {
		return fmt.Errorf("--namespace %s: no namespace can be called so: %s", s.Namespace, strings.Join(said, "; "))
	}
	size := 0
	for name, content := range s.Files {
		if size += len(content); !local(name) {
			return fmt.Errorf("file %q: want a path below %s", name, Files)
		}
	}
	if size > filesLimit {
		return fmt.Errorf("the scenario and its files have %d bytes, and a Secret holds %d; make them smaller", size, filesLimit)
	}
	return nil
}

func local(name string) bool {
	return name != "" && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../")
}

// Objects are what is made, in the order in which it is.
type Objects struct {
	Namespace *core.Namespace // nil: it is there
	Account   *core.ServiceAccount
	Role      *rbac.ClusterRole
	Binding   *rbac.ClusterRoleBinding
	Secret    *core.Secret // nil: nothing is to be read
	Job       *batch.Job
}

// Objects makes them. They hold no time and nothing random: the same Spec gives the same.
func (s Spec) Objects() (Objects, error) {
	if err := s.Check(); err != nil {
		return Objects{}, err
	}
	no := false
	o := Objects{
		Account: &core.ServiceAccount{TypeMeta: kind("v1", "ServiceAccount"), ObjectMeta: s.meta(), AutomountServiceAccountToken: &no},
		Role:    &rbac.ClusterRole{TypeMeta: kind("rbac.authorization.k8s.io/v1", "ClusterRole"), ObjectMeta: s.clusterMeta(), Rules: s.rules()},
		Binding: &rbac.ClusterRoleBinding{TypeMeta: kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"), ObjectMeta: s.clusterMeta(),
			RoleRef:  rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: s.Name()},
			Subjects: []rbac.Subject{{Kind: rbac.ServiceAccountKind, Name: s.Name(), Namespace: s.In()}}},
		Job: s.job(),
	}
	if s.Namespace == "" {
		o.Namespace = &core.Namespace{TypeMeta: kind("v1", "Namespace"), ObjectMeta: s.clusterMeta()}
		// As that of the stack: https://kubernetes.io/docs/concepts/security/pod-security-standards/
		o.Namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	}
	if len(s.Files)+len(s.Secrets) > 0 {
		o.Secret = s.secret()
	}
	return o, nil
}

// rules are the rights of the program: those of a run, and to delete what it is made of.
func (s Spec) rules() []rbac.PolicyRule {
	rules := kubernetes.Rules(kubernetes.Rights())
	if !s.Attended || s.Kept {
		return rules
	}
	own := func(group, resource string) rbac.PolicyRule {
		return rbac.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: []string{s.Name()}, Verbs: []string{"delete"}}
	}
	if s.Namespace != "" { // else they go with it
		rules = append(rules, own("batch", "jobs"), own("", "secrets"), own("", "serviceaccounts"))
	}
	return append(rules, own(rbac.GroupName, "clusterroles"))
}

func kind(version, name string) meta.TypeMeta { return meta.TypeMeta{APIVersion: version, Kind: name} }

func (s Spec) labels() map[string]string {
	return map[string]string{Label: s.Run, "app.kubernetes.io/name": "throughline", "app.kubernetes.io/component": "harness"}
}

func (s Spec) clusterMeta() meta.ObjectMeta {
	return meta.ObjectMeta{Name: s.Name(), Labels: s.labels()}
}

func (s Spec) meta() meta.ObjectMeta {
	m := s.clusterMeta()
	m.Namespace = s.In()
	return m
}

// secret has the files, whose keys in it are numbers since a key has no '/', and the variables.
func (s Spec) secret() *core.Secret {
	yes := true
	made := &core.Secret{TypeMeta: kind("v1", "Secret"), ObjectMeta: s.meta(), Immutable: &yes, Data: map[string][]byte{}}
	for i, name := range slices.Sorted(maps.Keys(s.Files)) {
		made.Data[fileKey(i)] = s.Files[name]
	}
	for name, value := range s.Secrets {
		made.Data[name] = []byte(value)
	}
	return made
}

func fileKey(i int) string { return fmt.Sprintf("file-%d", i) }

func (s Spec) job() *batch.Job {
	once, keep := int32(0), int32(unattended)
	if s.Attended && !s.Kept {
		keep = attended
	}
	made := &batch.Job{TypeMeta: kind("batch/v1", "Job"), ObjectMeta: s.meta(), Spec: batch.JobSpec{
		BackoffLimit: &once, TTLSecondsAfterFinished: &keep,
		Template: core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: s.labels()}, Spec: s.pod()},
	}}
	return made
}

func (s Spec) pod() core.PodSpec {
	no, yes, self, grace := false, true, int64(user), int64(stopGrace)
	pull := core.PullNever
	if s.Pull {
		pull = core.PullIfNotPresent
	}
	empty := core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}
	main := core.Container{
		Name: container, Image: s.Image, ImagePullPolicy: pull, Command: []string{"/" + inside.Binary}, Args: s.Args,
		Env:          []core.EnvVar{{Name: "HOME", Value: "/tmp"}},
		VolumeMounts: []core.VolumeMount{{Name: "record", MountPath: Records}, {Name: "tmp", MountPath: "/tmp"}},
		Resources: core.ResourceRequirements{
			Requests: core.ResourceList{core.ResourceMemory: memoryAsked, core.ResourceCPU: cpuAsked},
			Limits:   core.ResourceList{core.ResourceMemory: memoryLimit},
		},
		SecurityContext: &core.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &core.Capabilities{Drop: []core.Capability{"ALL"}}},
	}
	pod := core.PodSpec{
		RestartPolicy: core.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
		ServiceAccountName: s.Name(), AutomountServiceAccountToken: &yes, EnableServiceLinks: &no,
		SecurityContext: &core.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &self, RunAsGroup: &self, FSGroup: &self,
			SeccompProfile: &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault}},
		Volumes: []core.Volume{{Name: "record", VolumeSource: empty}, {Name: "tmp", VolumeSource: empty}},
	}
	if len(s.Files) > 0 {
		from := &core.SecretVolumeSource{SecretName: s.Name()}
		for i, name := range slices.Sorted(maps.Keys(s.Files)) {
			from.Items = append(from.Items, core.KeyToPath{Key: fileKey(i), Path: name})
		}
		pod.Volumes = append(pod.Volumes, core.Volume{Name: "scenario", VolumeSource: core.VolumeSource{Secret: from}})
		main.VolumeMounts = append(main.VolumeMounts, core.VolumeMount{Name: "scenario", MountPath: Files, ReadOnly: true})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Secrets)) {
		main.Env = append(main.Env, core.EnvVar{Name: name, ValueFrom: &core.EnvVarSource{
			SecretKeyRef: &core.SecretKeySelector{LocalObjectReference: core.LocalObjectReference{Name: s.Name()}, Key: name}}})
	}
	pod.Containers = []core.Container{main}
	return pod
}

// Literal is a word as Spec.Args has it, in which $(NAME) means itself.
func Literal(word string) string { return strings.ReplaceAll(word, "$(", "$$(") }

// all are those that there are, in order.
func (o Objects) all() []runtime.Object {
	var all []runtime.Object
	if o.Namespace != nil {
		all = append(all, o.Namespace)
	}
	all = append(all, o.Account, o.Role, o.Binding)
	if o.Secret != nil {
		all = append(all, o.Secret)
	}
	return append(all, o.Job)
}

// YAML is all of them as kubectl apply takes it.
func (o Objects) YAML() ([]byte, error) {
	var text []byte
	for _, object := range o.all() {
		plain, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, err
		}
		delete(plain, "status")
		one, err := yaml.Marshal(unset(plain))
		if err != nil {
			return nil, err
		}
		text = append(append(text, "---\n"...), one...)
	}
	return text, nil
}

// unset drops what Go's types print although nobody has said it: creationTimestamp: null.
func unset(of map[string]any) map[string]any {
	for key, value := range of {
		switch value := value.(type) {
		case nil:
			delete(of, key)
		case map[string]any:
			if unset(value); len(value) == 0 && key != "emptyDir" {
				delete(of, key)
			}
		}
	}
	return of
}
