#!/bin/sh
# Gets what the Docker tests need and the engine lacks: the images of HAProxy, of
# testcontainers' reaper, of Go and of Debian, and Compose v2. Images are pulled.
# Where no registry can be reached, the scripts in STANDINS build local images under
# the same names; without them too, tests that miss an image are skipped, and say
# so. Does nothing where nothing is missing. `make images` calls it.
set -eu

cd "$(dirname "$0")/.."
STANDINS=${STANDINS:-../shared/standins}
IMAGES="haproxy:3.0 testcontainers/ryuk:0.14.0 golang:1.26 debian:bookworm-slim"

say() { echo "images: $*" >&2; }

docker version >/dev/null 2>&1 || {
	say "no Docker engine answers: tests with containers will be skipped, and say so"
	exit 0
}

missing() {
	for image in $IMAGES; do
		docker image inspect "$image" >/dev/null 2>&1 || echo "$image"
	done
}

for image in $(missing); do
	say "pulling $image"
	docker pull -q "$image" >/dev/null 2>&1 || break # one that fails is enough to know
done
if [ -n "$(missing)" ] && [ -x "$STANDINS/build-all.sh" ]; then
	say "no registry: building stand-ins for" $(missing)
	# What it has built stays, so that a download which broke off is tried again.
	for _ in 1 2 3; do
		"$STANDINS/build-all.sh" >&2 && break
	done
fi
if ! docker compose version >/dev/null 2>&1 && [ -x "$STANDINS/get-debian-compose.sh" ]; then
	plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
	say "installing Compose v2 in $plugins"
	"$STANDINS/get-debian-compose.sh" "$plugins" >&2
fi
[ -z "$(missing)" ] || say "missing:" $(missing)
