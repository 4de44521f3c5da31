// Kubernetes is etcd, the control plane, a node's agents and kubectl in one program, which costs a third of the time and room
// of seven. Which of them it is stands in the name that it is called by, or else in its first argument; otherwise it is
// kubectl. `make cluster` builds it, package host starts it by links with these names.
//
// Nothing of Kubernetes is changed: these are its own commands, from its module.
package main

import (
	"context"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// commands are called with os.Args as each of them would find it alone, and give the exit status.
var commands = map[string]func() int{
	"etcd": func() int {
		etcdmain.Main(os.Args) // exits by itself where something is wrong
		return 0
	},
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(manager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kubelet":                 func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
	"kube-proxy":              func() int { return cli.Run(proxy.NewProxyCommand()) },
	"kubectl": func() int {
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err) // prints as kubectl does, and exits
		}
		return 0
	},
}

func main() {
	name := filepath.Base(os.Args[0])
	if commands[name] == nil && len(os.Args) > 1 && commands[os.Args[1]] != nil {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	if commands[name] == nil {
		name = "kubectl"
	}
	os.Exit(commands[name]())
}
