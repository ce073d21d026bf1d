#!/bin/sh
# Prints the path of a Debian system in a directory, made by debootstrap the first time it is asked for:
#
#	debian_root.sh SUITE [PACKAGE]...
#
# The directory is shared by all who ask for the same suite and packages: put an overlay over it and write there.
set -eu

CACHE=${PORTSNARE_ROOTS:-/var/cache/portsnare-roots}

suite=${1:?SUITE, such as bullseye}
shift
packages=$(printf '%s\n' "$@" | LC_ALL=C sort -u | paste -s -d ,)
root=$CACHE/$suite
[ -z "$packages" ] || root=$root-$(printf %s "$packages" | sha256sum | cut -c 1-12)

mkdir -p "$CACHE"
exec 9>"$root.lock"
flock 9
if [ ! -d "$root" ]; then
	echo "debian_root: making $suite with ${packages:-nothing else} in $root" >&2
	rm -rf "$root.new"
	for pause in 5 15 30 60 120 0; do
		debootstrap --variant=minbase ${packages:+--include="$packages"} "$suite" "$root.new" >"$root.log" 2>&1 && break
		rm -rf "$root.new"
		[ "$pause" -gt 0 ] || { echo "debian_root: debootstrap failed, see $root.log" >&2; exit 1; }
		sleep "$pause"
	done
	rm -rf "$root.new"/var/cache/apt/archives/*.deb "$root.new"/var/lib/apt/lists/*
	mv "$root.new" "$root"
fi
echo "$root"
