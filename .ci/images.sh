#!/bin/sh
# Gets what the tests in containers need and the engine lacks: the images of
# HAProxy and of the Apache HTTP server, and Compose v2. Images are pulled. Where no
# registry can be reached, debian.sh makes them of Debian's packages; without that
# too, tests that miss them are skipped, and say so. Says what it does and how long that took; does nothing
# where nothing is missing. `make images` calls it.
set -eu

cd "$(dirname "$0")/.."
IMAGES="haproxy:3.0 httpd:2.4"
began=$(date +%s)

say() { echo "images: $(($(date +%s) - began)) s: $*" >&2; }

docker version >/dev/null 2>&1 || {
	say "no Docker engine answers: tests with containers will be skipped, and say so"
	exit 0
}
have_image() { docker image inspect "$1" >/dev/null 2>&1; }
have_compose() { docker compose version >/dev/null 2>&1; }

want=""
for image in $IMAGES; do
	have_image "$image" && continue
	say "$image: pulling"
	if docker pull "$image" >&2; then
		say "$image: pulled"
	else
		say "$image: cannot be pulled: making one of Debian's packages"
		want="$want $image"
	fi
done
have_compose || {
	say "Compose v2: missing: taking Debian's"
	want="$want compose"
}
# shellcheck disable=SC2086 # a list of things
[ -z "$want" ] || sh .ci/debian.sh "$began" $want || say "Debian's packages were of no help"
for image in $IMAGES; do
	have_image "$image" || say "missing: $image"
done
have_compose || say "missing: Compose v2"
say "done"
