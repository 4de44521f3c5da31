#!/bin/sh
# Builds a Kubernetes of several nodes for tests (cluster/, docs/KUBERNETES.md) into the cache, and installs what its nodes
# need: a container runtime, network plugins, iptables. Tests with it are skipped where it was not built, and say so. Says
# what it does and how long that may take; does nothing where nothing is missing. `make cluster` calls it.
set -eu

cd "$(dirname "$0")/../cluster"
VERSION=$(sed -n 's/^[[:space:]]*k8s.io\/kubernetes \(v[^ ]*\)$/\1/p' go.mod)
into=${XDG_CACHE_HOME:-$HOME/.cache}/throughline/kubernetes-$VERSION

say() { echo "cluster: $*" >&2; }

[ "$(go env GOOS)" = linux ] || {
	say "its nodes are namespaces of Linux; set THROUGHLINE_CLUSTER=own to have tests run on a cluster of yours"
	exit 1
}

want=""
for needs in containerd:containerd ctr:containerd runc:runc ip:iproute2 iptables:iptables conntrack:conntrack; do
	PATH=$PATH:/usr/sbin:/sbin command -v "${needs%%:*}" >/dev/null 2>&1 || want="$want ${needs##*:}"
done
[ -x /usr/lib/cni/host-local ] || [ -x /opt/cni/bin/host-local ] || want="$want containernetworking-plugins"
if [ -n "$want" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		say "missing:$want: install them with your package manager"
		exit 1
	fi
	say "installing$want (apt-get)"
	export DEBIAN_FRONTEND=noninteractive
	root=""
	[ "$(id -u)" = 0 ] || root=sudo
	$root apt-get update -qq
	# shellcheck disable=SC2086 # a list of packages
	$root apt-get install -y -qq --no-install-recommends $want >/dev/null
fi

# build PROGRAM PACKAGE [FLAG...]: a program that runs is not written over, but replaced.
build() {
	program=$1 package=$2
	shift 2
	CGO_ENABLED=0 go build -trimpath "$@" -o "$into/$program.new" "./$package"
	mv "$into/$program.new" "$into/$program"
}

mkdir -p "$into"
made=$({ go version && cat go.mod go.sum kubernetes/*.go; } | sha256sum)
if [ ! -x "$into/kubernetes" ] || [ "$(cat "$into/made-of" 2>/dev/null)" != "$made" ]; then
	say "building Kubernetes $VERSION: 10 to 20 minutes on two cores and 4 GB of disk the first time, seconds where Go has it in its cache"
	began=$(date +%s)
	stamp="-s -w"
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		stamp="$stamp -X $package.gitVersion=$VERSION -X $package.gitMajor=1 -X $package.gitMinor=$(echo "$VERSION" | cut -d. -f2) -X $package.gitTreeState=clean"
	done
	build kubernetes kubernetes -ldflags "$stamp"
	for command in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
		ln -sf kubernetes "$into/$command"
	done
	echo "$made" >"$into/made-of"
	say "built in $(($(date +%s) - began)) s: $into/kubernetes"
fi
build cluster . # a second, if nothing has changed
build pause pause -ldflags "-s -w"
"$into/cluster" pack "$into/pause" localhost/pause:1 "$into/pause.tar"
