#!/bin/sh
# Installs what building and testing need: packages of Debian, Deno 2.9.6 in .tools/, and the dependencies of deno.json
# (so that everything after this works without a network). Does nothing, quickly, when all of it is there.
# Works on Debian 11, 12 and 13 with nothing but a shell and apt.
#
#	setup.sh [build | network | bench | packaging]...
#
# build: what every target needs. network: what scans, filters and listens in demo, tests and bench. bench: what
# fetches the peers of the comparison. packaging: what makes and tests the Debian package. Without arguments: all.
set -eu
cd "$(dirname "$0")/.."

DENO_VERSION=2.9.6
# gcc: for the entry stub of the executable.
BUILD="make gcc ca-certificates"
NETWORK="nmap hping3 ncat netcat-openbsd tcpdump tshark iperf3
	nftables iptables ipset conntrack iproute2 iputils-ping procps fail2ban tcpd net-tools curl
	logrotate systemd"
BENCH="debootstrap xz-utils"
PACKAGING="build-essential debhelper po-debconf gettext lintian fakeroot man-db
	debootstrap systemd-container piuparts nmap ncat iproute2"

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# A mirror or a registry that hiccups must not fail a build.
retry() {
	for pause in 2 10 30 60; do
		"$@" && return 0
		say "'$*' failed, trying again in $pause seconds"
		sleep "$pause"
	done
	"$@"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "root is needed for: $*"
	fi
}

# The given packages that are not installed.
missing() {
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
	done
}

install_packages() {
	# shellcheck disable=SC2046 # one word a package
	set -- $(missing "$@")
	[ $# -gt 0 ] || return 0
	say "installing $*"
	retry quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y update
	retry quietly as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
}

# Hundreds of lines of dpkg are for reading only when something went wrong.
quietly() {
	said=$("$@" 2>&1) && return 0
	echo "$said" >&2
	return 1
}

is_deno() { [ -x "$1" ] && [ "$("$1" --version 2>/dev/null | sed -n 's/^deno \([^ ]*\).*/\1/p')" = "$DENO_VERSION" ]; }

# The Deno that is there already: ours of an earlier run, or the machine's own.
find_deno() {
	for candidate in .tools/bin/deno .tools/node_modules/.bin/deno "$(command -v deno || true)"; do
		if is_deno "$candidate"; then readlink -f "$candidate"; return 0; fi
	done
	return 1
}

# Deno comes from the npm registry, because no Debian release has it. The package of the platform is taken as it is:
# the installer package around it wants a newer Node.js than Debian 11 has, and would run a script. Prints its path.
install_deno() {
	case $(uname -m) in
	x86_64)
		platform=linux-x64-glibc
		sha256=bceb5b6a6239b0b010418406d8c77a508f67cf4337d94288f1c19fe71304aab0
		;;
	*) die "portsnare is built on x86_64 only; this is $(uname -m)" ;;
	esac
	command -v npm >/dev/null || install_packages npm >&2
	say "installing Deno $DENO_VERSION"
	mkdir -p .tools
	retry npm install --prefix .tools --no-save --no-audit --no-fund --ignore-scripts \
		"@deno/$platform@$DENO_VERSION" >&2
	deno=$PWD/.tools/node_modules/@deno/$platform/deno
	echo "$sha256  $deno" | sha256sum --check --quiet || die "$deno is not the Deno $DENO_VERSION that was expected"
	chmod 0755 "$deno"
	is_deno "$deno" || die "$deno does not run"
	echo "$deno"
}

# Fetches the npm dependencies and the bundler, once for each lock file.
fetch_dependencies() {
	stamp=.tools/dependencies.sha256
	sha256sum --check --quiet "$stamp" >/dev/null 2>&1 && return 0
	say "fetching the dependencies of deno.json"
	retry .tools/bin/deno install --quiet --frozen
	# Deno fetches its bundler when it is first used.
	probe=$(mktemp -d)
	echo 'export {};' >"$probe/probe.ts"
	retry .tools/bin/deno bundle --quiet --no-config --output "$probe/probe.js" "$probe/probe.ts"
	rm -r "$probe"
	sha256sum deno.json deno.lock >"$stamp"
}

# Where the machine has certificates of its own, npm and Deno have to use them as well.
certificates=/etc/ssl/certs/ca-certificates.crt
trust_machine() {
	[ -e "$certificates" ] || return 0
	export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-$certificates}"
	export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}"
}

[ $# -gt 0 ] || set -- build network bench packaging
packages=$BUILD
for group in "$@"; do
	case "$group" in
	build) ;;
	network) packages="$packages $NETWORK" ;;
	bench) packages="$packages $BENCH" ;;
	packaging) packages="$packages $PACKAGING" ;;
	*) die "no such group: $group" ;;
	esac
done

# shellcheck disable=SC2086 # one word a package
install_packages $packages
trust_machine
export DENO_NO_UPDATE_CHECK=1
deno=$(find_deno) || deno=$(install_deno)
mkdir -p .tools/bin
ln -sfn "$deno" .tools/bin/deno
fetch_dependencies
