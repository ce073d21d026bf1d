# A Debian system with its own init, network and clock in a container: sourced by ../deb_test.sh, which has put this
# process into mount and network namespaces of its own, so that nothing has to be taken back at the end.
#
# The machine has 192.0.2.1 and 2001:db8::1; this side has 192.0.2.9 to .19 and 2001:db8::9, for scanning from.

machine_name=portsnare-$$
machine_leader=
machine_nspawn=

# machine_create SUITE [PACKAGE]...: an empty overlay over a shared root.
machine_create() {
	# A root that has to be made first comes from a mirror, which only the network outside can reach.
	lower=$(nsenter --net=/proc/self/fd/8 scripts/debian_root.sh "$@")
	machine_layers=$work/machine
	rm -rf "$machine_layers"
	mkdir -p "$machine_layers/upper" "$machine_layers/work" "$machine_layers/root"
	mount -t overlay overlay -o "lowerdir=$lower,upperdir=$machine_layers/upper,workdir=$machine_layers/work" \
		"$machine_layers/root"
	machine_root=$machine_layers/root
	echo machine >"$machine_root/etc/hostname"
	# libwrap0 makes this, on every host where it means something.
	touch "$machine_root/etc/hosts.deny"
	# What a minimal root lacks for offline use: fail2ban's default jail wants a log that nobody writes here.
	mkdir -p "$machine_root/etc/fail2ban/jail.d"
	printf '[sshd]\nenabled = false\n' >"$machine_root/etc/fail2ban/jail.d/zz-no-sshd.conf"
}

machine_destroy() {
	[ -z "$machine_leader" ] || machine_stop
	umount "$machine_root"
	rm -rf "$machine_layers"
}

# machine_start [INIT]: boots, and waits until the init has started everything.
machine_start() {
	if [ $# -gt 0 ]; then boot="$1"; else boot=--boot; fi
	# Debian 13's systemd knows cgroup v2 only.
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit --directory="$machine_root" \
		--machine="$machine_name" --network-veth --console=read-only "$boot" >"$work/console.log" 2>&1 &
	machine_nspawn=$!
	wait_for "the machine to run" machine_find_leader
	wait_for "the init of the machine" machine_booted
	machine_network
}

# The child of nspawn that has become the machine's init; before that there are others for a moment.
machine_find_leader() {
	for machine_leader in $(pgrep -P "$machine_nspawn"); do
		case "$(cat "/proc/$machine_leader/comm")" in systemd | init) return 0 ;; esac
	done
	machine_leader=
	return 1
}

machine_booted() {
	if [ -d "$machine_root/lib/systemd/system" ] && [ -z "${machine_sysvinit:-}" ]; then
		case "$(inside 'systemctl is-system-running' 2>/dev/null)" in
		running | degraded) ;;
		*) return 1 ;;
		esac
	else
		inside 'runlevel | grep -q "[2345]$"'
	fi
}

machine_network() {
	inside '
		ip link set host0 up
		ip addr add 192.0.2.1/24 dev host0
		ip addr add 2001:db8::1/64 dev host0 nodad'
	veth=$(ip -o link show type veth 2>/dev/null | sed -n '1s/^[0-9]*: \([^@:]*\).*/\1/p')
	ip link set "$veth" up
	for last in 9 10 11 12 13 14 15 16 17 18 19; do ip addr add "192.0.2.$last/24" dev "$veth"; done
	ip addr add 2001:db8::9/64 dev "$veth" nodad
	wait_for "the machine to answer" ping -q -c 1 -W 1 192.0.2.1
}

machine_stop() {
	if [ -n "${machine_sysvinit:-}" ]; then
		inside '/sbin/init 0' || true
	else
		kill -s RTMIN+4 "$machine_leader" || true
	fi
	for _ in $(seq 100); do
		kill -0 "$machine_nspawn" 2>/dev/null || break
		sleep 0.2
	done
	kill -9 "$machine_nspawn" 2>/dev/null || true
	wait "$machine_nspawn" || true
	machine_leader=
	machine_nspawn=
}

# inside COMMANDS: runs them in the machine, as root, with a terminal's environment.
inside() {
	nsenter --target "$machine_leader" --all env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -c "$1"
}
