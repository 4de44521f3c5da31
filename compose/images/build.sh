#!/bin/sh
# Builds the throughline image out of a binary built on this machine.
#
#   compose/images/build.sh [TAG [BINARY]]
#
# TAG is throughline without one. BINARY is a static throughline for Linux;
# without one it is built here.
set -eu
tag=${1:-throughline}
binary=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/root"
mkdir -m 1777 "$context/root/tmp"
if [ -n "$binary" ]; then
    cp "$binary" "$context/root/throughline"
else
    (cd "$here/../.." && GOOS=linux CGO_ENABLED=0 ${GO:-go} build -trimpath -ldflags='-s -w' -o "$context/root/throughline" ./cmd/throughline)
fi
chmod 755 "$context" "$context/root" "$context/root/throughline"
docker build -q -f "$here/host.Dockerfile" -t "$tag" "$context"
