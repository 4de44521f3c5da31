#!/bin/sh
# Gets what the tests in containers need and the engine lacks: the image of
# HAProxy, and Compose v2. The image is pulled. Where no registry can be reached,
# debian.sh makes one of Debian's packages; without that too, tests that miss it
# are skipped, and say so. Says what it does and how long that took; does nothing
# where nothing is missing. `make images` calls it.
set -eu

cd "$(dirname "$0")/.."
HAPROXY=haproxy:3.0
began=$(date +%s)

say() { echo "images: $(($(date +%s) - began)) s: $*" >&2; }

docker version >/dev/null 2>&1 || {
	say "no Docker engine answers: tests with containers will be skipped, and say so"
	exit 0
}
have_image() { docker image inspect "$HAPROXY" >/dev/null 2>&1; }
have_compose() { docker compose version >/dev/null 2>&1; }

want=""
have_image || {
	say "$HAPROXY: pulling"
	if docker pull "$HAPROXY" >&2; then
		say "$HAPROXY: pulled"
	else
		say "$HAPROXY: cannot be pulled: making one of Debian's packages"
		want="$HAPROXY"
	fi
}
have_compose || {
	say "Compose v2: missing: taking Debian's"
	want="$want compose"
}
# shellcheck disable=SC2086 # a list of things
[ -z "$want" ] || sh .ci/debian.sh "$began" $want || say "Debian's packages were of no help"
have_image || say "missing: $HAPROXY"
have_compose || say "missing: Compose v2"
say "done"
