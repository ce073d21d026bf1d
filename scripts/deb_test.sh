#!/bin/sh
# Puts the package through a life on real Debian systems, each with its own init, in containers:
#
#	deb_test.sh [PART]...
#
# Parts: bullseye, bookworm, trixie (install, scan, fail2ban, restart, reboot, upgrade, remove, purge under systemd),
# sysvinit, minimal (no nftables), portsentry (taking over from it), piuparts. Without arguments: all.
# Needs root, dist/portsnare_VERSION_amd64.deb, and what scripts/setup.sh installs.
set -eu
cd "$(dirname "$0")/.."

# Mounts, virtual interfaces and scans stay in here, and go when this ends.
if [ -z "${PORTSNARE_DEB_TEST:-}" ]; then
	export PORTSNARE_DEB_TEST=1
	exec 8</proc/self/ns/net
	exec unshare --mount --net --propagation private "$0" "$@"
fi
ip link set lo up

work=$(mktemp -d /var/tmp/portsnare-deb-test.XXXXXX)
. scripts/deb_test/checks.sh
. scripts/deb_test/machine.sh
. scripts/deb_test/scans.sh
for scenario in scripts/deb_test/scenario_*.sh; do . "$scenario"; done

finish() {
	[ -z "$machine_leader" ] || machine_stop
	# A machine that never came up has no leader.
	[ -z "$machine_nspawn" ] || kill -9 "$machine_nspawn" 2>/dev/null || true
	umount "$work/machine/root" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

version=$(dpkg-parsechangelog -S Version)
deb=$PWD/dist/portsnare_${version}_amd64.deb
[ -e "$deb" ] || { echo "deb_test: $deb is missing: run make deb" >&2; exit 1; }

[ $# -gt 0 ] || set -- bullseye bookworm trixie sysvinit minimal portsentry piuparts
for part in "$@"; do
	step "$part"
	case "$part" in
	bullseye | bookworm | trixie) scenario_systemd "$part" ;;
	sysvinit | minimal | portsentry | piuparts) "scenario_$part" ;;
	*) echo "deb_test: no such part: $part" >&2; exit 64 ;;
	esac
done
echo "deb_test: $checks checks passed: $*"
