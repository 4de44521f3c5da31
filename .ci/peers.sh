#!/bin/sh
# Installs the programs of others that the collector, the inventory and the whole stack
# are tried against: Debian's Prometheus, Graphite carbon and Ansible (ansible-core, without
# its collections), and from their Go modules statsd_exporter, OpenTelemetry's Collector (otelcol/, with the parts that are
# tried) and FerretDB, a database that speaks MongoDB's protocol over SQLite. Tests that miss one are skipped, and say so. `make peers` and `make bench` call it.
#
# Debian's packages start their service where there is an init system; to have
# the programs without the services: systemctl disable --now prometheus carbon-cache.
set -eu

STATSD_EXPORTER=github.com/prometheus/statsd_exporter@v0.31.0
FERRETDB_MODULE=github.com/FerretDB/FerretDB
FERRETDB_VERSION=v1.24.0

say() { echo "peers: $*" >&2; }

cd "$(dirname "$0")/.."
[ -x bin/statsd_exporter ] || {
	say "building $STATSD_EXPORTER"
	GOBIN=$PWD/bin go install "$STATSD_EXPORTER"
}

[ -x bin/otelcol ] || {
	say "building OpenTelemetry's Collector"
	(cd .ci/otelcol && CGO_ENABLED=0 go build -o ../../bin/otelcol .)
}

# Its program wants to find its version in a file that its module has not.
[ -x bin/ferretdb ] || {
	say "building $FERRETDB_MODULE@$FERRETDB_VERSION"
	work=$(mktemp -d)
	trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
	found=$(cd "$work" && go mod download -json "$FERRETDB_MODULE@$FERRETDB_VERSION" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
	cp -R "$found" "$work/ferretdb"
	chmod -R u+w "$work/ferretdb"
	echo "$FERRETDB_VERSION" >"$work/ferretdb/build/version/version.txt"
	out=$PWD/bin/ferretdb
	(cd "$work/ferretdb" && CGO_ENABLED=0 go build -o "$out" ./cmd/ferretdb)
}

want=""
command -v prometheus >/dev/null 2>&1 || want="$want prometheus"
command -v carbon-cache >/dev/null 2>&1 || want="$want graphite-carbon"
command -v ansible-inventory >/dev/null 2>&1 || want="$want ansible-core"
[ -n "$want" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	say "missing:$want; install them with your package manager to try the collector and the inventory against them"
	exit 0
fi
say "installing$want (apt-get)"
export DEBIAN_FRONTEND=noninteractive
root=""
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$root apt-get install -y -qq --no-install-recommends $want >/dev/null
