#!/bin/sh
# Installs what a checkout needs and the machine lacks: HAProxy and the Apache HTTP
# server for the stack (of the latter the program alone, which no init system
# starts), libraries of Python, Node, Ruby and Perl for the tests with foreign clients,
# and the Go modules. Says what it does; does nothing where nothing is missing.
# `make deps` calls it.
set -eu

say() { echo "deps: $*" >&2; }

command -v go >/dev/null 2>&1 || {
	say "go is missing: install Go 1.26 or newer from https://go.dev/dl/"
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null 2>&1; then sudo "$@"
	else
		say "cannot install without root: run as root: $*"
		exit 1
	fi
}

have_haproxy() { command -v haproxy >/dev/null 2>&1 || [ -x /usr/sbin/haproxy ]; }
have_httpd() { command -v apache2 >/dev/null 2>&1 || [ -x /usr/sbin/apache2 ] || command -v httpd >/dev/null 2>&1; }
have_wsgi() { [ -e /usr/lib/apache2/modules/mod_wsgi.so ]; }
have_python() { /usr/bin/python3 -c 'import pymongo, bottle, statsd, aiodogstatsd, prometheus_client' >/dev/null 2>&1; }
have_node() { NODE_PATH=/usr/share/nodejs node -e 'require("mongodb")' >/dev/null 2>&1; }
have_ruby() { ruby -e 'require "statsd"' >/dev/null 2>&1; }
have_perl() { perl -e 'use Net::Statsd' >/dev/null 2>&1; }

if command -v apt-get >/dev/null 2>&1; then
	want=""
	have_haproxy || want="$want haproxy"
	have_httpd || want="$want apache2-bin"
	have_wsgi || want="$want libapache2-mod-wsgi-py3"
	have_python || want="$want python3 python3-pymongo python3-bottle python3-statsd python3-aiodogstatsd python3-prometheus-client"
	have_node || want="$want node-mongodb"
	have_ruby || want="$want ruby-statsd"
	have_perl || want="$want libnet-statsd-perl"
	if [ -n "$want" ]; then
		say "installing$want (apt-get)"
		export DEBIAN_FRONTEND=noninteractive
		as_root apt-get update -qq
		# shellcheck disable=SC2086 # a list of packages
		as_root apt-get install -y -qq --no-install-recommends $want >/dev/null
	fi
elif ! have_haproxy; then
	if command -v dnf >/dev/null 2>&1; then say "installing haproxy (dnf)"; as_root dnf install -y -q haproxy
	elif command -v apk >/dev/null 2>&1; then say "installing haproxy (apk)"; as_root apk add -q haproxy
	elif command -v brew >/dev/null 2>&1; then say "installing haproxy (brew)"; brew install -q haproxy
	else
		say "haproxy is missing: install HAProxy 2.6 or newer with your package manager"
		exit 1
	fi
fi
have_python && have_node && have_ruby && have_perl ||
	say "no clients from Python (pymongo, bottle, statsd, aiodogstatsd, prometheus_client), Node (mongodb), Ruby (statsd) or Perl (Net::Statsd): tests with them will be skipped, and say so"
have_httpd || say "no Apache HTTP server (apache2, httpd): scenarios with stack.httpd cannot be run, and tests with it will be skipped, and say so"
say "Go modules"
go list -deps -test ./... >/dev/null
