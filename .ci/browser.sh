#!/bin/sh
# Installs what the tests that look at pages need and the machine lacks: Chromium, and
# a font for it to draw with. Tests without them are skipped, and say so. Says what it
# does; does nothing where nothing is missing. `make browser` calls it.
set -eu

say() { echo "browser: $*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }
have_chromium() { have chromium || have chromium-browser || have google-chrome || have google-chrome-stable; }
have_font() { have fc-list && [ -n "$(fc-list 2>/dev/null | head -n 1)" ]; }

want=""
have_chromium || want="$want chromium"
have_font || want="$want fontconfig fonts-dejavu-core"
[ -n "$want" ] || exit 0
if ! have apt-get; then
	say "missing:$want; install them with your package manager to have the pages tested"
	exit 0
fi
say "installing$want (apt-get), some 400 MB with what they need"
export DEBIAN_FRONTEND=noninteractive
root=""
[ "$(id -u)" = 0 ] || root=sudo
$root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
$root apt-get install -y -qq --no-install-recommends $want >/dev/null
