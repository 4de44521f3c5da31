#!/bin/sh
# Makes of Debian's packages what no registry gives: images laid out as the
# published ones of HAProxy and of the Apache HTTP server, and Compose v2 with
# buildx as plugins of docker.
# images.sh calls it:
#
#   debian.sh BEGAN WHAT...     BEGAN: seconds since 1970; WHAT: an image's name, or compose
#
# The packages are of the release that has HAProxy 3.0, from the mirror that this
# machine's apt uses, and with an apt root of their own: nothing is installed
# here, and nobody has to be root. They are unpacked, not configured, which takes
# minutes on a busy machine and matters to no program in the image. What was
# downloaded stays in the cache: the next time only what is new is.
set -eu

RELEASE=trixie
began=$1
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/throughline/$RELEASE
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "images: $(($(date +%s) - began)) s: $*" >&2; }

# apt ARCHIVES ARGUMENT...: downloads to ARCHIVES, and takes nothing for installed.
apt() {
	archives=$1
	shift
	apt-get -qq -o Dir::Etc::SourceList="$cache/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$cache" -o Dir::State::Status=/dev/null -o Dir::Cache="$archives" -o Dir::Cache::Archives="$archives" \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o Acquire::Retries=3 -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=true "$@" >&2
}

index() {
	command -v dpkg-deb >/dev/null 2>&1 || {
		say "this machine has no apt"
		return 1
	}
	# The mirror of the release that this machine runs has the others as well.
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' |
		awk '$2 == "main" && $3 !~ /-/ { print $1; exit }')
	[ -n "$mirror" ] || {
		say "this machine's apt knows no mirror of Debian"
		return 1
	}
	mkdir -p "$cache/lists/partial"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $RELEASE main" >"$cache/sources.list"
	say "the list of Debian $RELEASE's packages"
	apt "$cache" update
}

# unpacked IMAGE PACKAGE: sets root to a directory with that package, what it
# needs, and what tests and health checks execute (bash, head, grep, sleep).
unpacked() {
	archives=$cache/$2 root=$work/$2
	mkdir -p "$archives/partial" "$root"
	say "$1: downloading packages"
	apt "$archives" install --yes --no-install-recommends --download-only base-files bash coreutils grep "$2"
	apt "$archives" autoclean # what has been superseded since the last time
	# shellcheck disable=SC2012 # these are names of packages
	say "$1: unpacking $(ls "$archives"/*.deb | wc -l) packages"
	dpkg-deb -x "$archives"/base-files_*.deb "$root" # makes /bin and /lib links into /usr
	for deb in "$archives"/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	(
		cd "$root"
		rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian
		ln -sf bash usr/bin/sh
		mkdir -p usr/local/sbin tmp
		chmod 1777 tmp
	)
	say "$1: importing"
}

haproxy() {
	unpacked "$1" haproxy
	layout "$root"
	# Into a file first: a pipe that is cut off would leave an empty image.
	tar -C "$root" --owner=0 --group=0 -cf "$root.tar" .
	docker import -c 'USER haproxy' -c 'WORKDIR /var/lib/haproxy' \
		-c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		-c 'ENTRYPOINT ["docker-entrypoint.sh"]' -c 'CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' \
		-c 'LABEL standin=1' "$root.tar" "$1" >/dev/null
	say "$1: $(docker run --rm --network none "$1" haproxy -v | head -n 1)"
}

# httpd IMAGE: as the published one, it begins as root, with its modules below
# /usr/local/apache2. Some of those are a part of Debian's program itself.
httpd() {
	unpacked "$1" apache2-bin
	(
		cd "$root"
		printf '%s\n' root:x:0:0:root:/root:/bin/bash www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin >etc/passwd
		printf '%s\n' root:x:0: www-data:x:33: >etc/group
		mkdir -p usr/local/apache2/bin usr/local/apache2/logs
		ln -s /usr/sbin/apache2 usr/local/apache2/bin/httpd
		ln -s /usr/lib/apache2/modules usr/local/apache2/modules
	)
	tar -C "$root" --owner=0 --group=0 -cf "$root.tar" .
	docker import -c 'WORKDIR /usr/local/apache2' -c 'ENV HTTPD_PREFIX=/usr/local/apache2' \
		-c 'ENV PATH=/usr/local/apache2/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		-c 'CMD ["httpd", "-D", "FOREGROUND"]' -c 'LABEL standin=1' "$root.tar" "$1" >/dev/null
	say "$1: $(docker run --rm --network none "$1" httpd -v | head -n 1)"
}

# layout makes the unpacked packages what the published image of HAProxy is.
layout() (
	cd "$1"
	rm -f etc/haproxy/haproxy.cfg
	printf '%s\n' root:x:0:0:root:/root:/bin/bash haproxy:x:99:99:haproxy:/var/lib/haproxy:/usr/sbin/nologin >etc/passwd
	printf '%s\n' root:x:0: haproxy:x:99: >etc/group
	mkdir -p usr/local/bin usr/local/etc/haproxy var/lib/haproxy
	chmod 1777 var/lib/haproxy
	cp -R etc/haproxy/errors usr/local/etc/haproxy/
	ln -sf /usr/sbin/haproxy usr/local/sbin/haproxy
	cat >usr/local/bin/docker-entrypoint.sh <<'SCRIPT'
#!/bin/sh
set -e
# A first argument that is a flag means: options for haproxy.
case "${1:-}" in -*) set -- haproxy "$@" ;; esac
# Master and worker in the foreground, so that SIGUSR2 reloads and process 1 stays.
if [ "${1:-}" = haproxy ]; then shift; set -- haproxy -W -db "$@"; fi
exec "$@"
SCRIPT
	chmod 755 usr/local/bin/docker-entrypoint.sh
)

compose() {
	archives=$cache/compose
	mkdir -p "$archives/partial" "$plugins"
	say "Compose v2: downloading"
	(cd "$archives" && apt "$archives" download docker-compose docker-buildx)
	for deb in $(ls -t "$archives"/docker-compose_*.deb | head -n 1) $(ls -t "$archives"/docker-buildx_*.deb | head -n 1); do
		dpkg-deb -x "$deb" "$work/compose"
	done
	find "$work/compose" -type f -path '*cli-plugins*' -exec install -m 755 {} "$plugins/" \;
	say "Compose v2: $(docker compose version --short) in $plugins"
}

index
jobs=""
for what in "$@"; do
	case $what in
	compose) compose & ;;
	httpd:*) httpd "$what" & ;;
	*) haproxy "$what" & ;;
	esac
	jobs="$jobs $!"
done
failed=0
for job in $jobs; do
	wait "$job" || failed=1
done
exit $failed
