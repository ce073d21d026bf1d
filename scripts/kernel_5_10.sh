#!/bin/sh
# Runs tests on Debian 11's own kernel, 5.10, under software emulation (no KVM needed): some minutes, as root.
#
#	kernel_5_10.sh [ARGUMENT OF deno test]...
#
# Without arguments: the nftables backend, the kernel engine, and scans in a VLAN. The machine sees a copy of this tree,
# has no network but the namespaces that tests make, and is switched off at the end. The exit status is that of the tests.
#
# From the environment: PACKAGES are Debian packages to install beside those that all tests need, TIME_LIMIT is in
# seconds.
set -eu
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
	set -- --filter '/NftablesBackend|SetElements|KernelEngine|VLAN/' \
		tests/e2e/nftables_test.ts tests/e2e/kernel_engine_test.ts tests/e2e/vlan_test.ts
fi
PACKAGES=${PACKAGES:-}
TIME_LIMIT=${TIME_LIMIT:-1800}

die() { echo "kernel_5_10: $*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || die "needs root, to make the machine's disk"
command -v qemu-system-x86_64 >/dev/null || die "needs Debian's package qemu-system-x86"
deno=$(readlink -f .tools/bin/deno) || die "needs .tools/bin/deno: run scripts/setup.sh"
[ -x dist/portsnare ] || die "needs dist/portsnare: run make build"
cache=${DENO_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/deno}
[ -d "$cache/npm" ] || die "needs the dependencies in $cache: run scripts/setup.sh"

# shellcheck disable=SC2086 # a list of words
base=$(scripts/debian_root.sh bullseye linux-image-cloud-amd64 kmod procps iproute2 nftables nmap hping3 \
	netcat-openbsd iputils-ping curl $PACKAGES)
work=$(mktemp -d /var/tmp/portsnare-kernel.XXXXXX)
cleanup() {
	umount "$work/root" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$work/root"
tree=$work/root/portsnare
mkdir -p "$tree/.cache" "$tree/dist"
cp -r src tests scripts deno.json deno.lock "$tree/"
cp dist/portsnare "$tree/dist/"
cp "$deno" "$tree/deno"
cp -r "$cache/npm" "$tree/.cache/"

# The arguments, each quoted for the shell of the machine.
arguments=
for argument; do
	arguments="$arguments '$(printf %s "$argument" | sed "s/'/'\\\\''/g")'"
done

# The machine has no init but this: it mounts, tests and switches itself off. The second serial port is the report.
cat >"$work/root/portsnare-init" <<INIT
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DENO_DIR=/portsnare/.cache DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
export PORTSNARE_EXECUTABLE=/portsnare/dist/portsnare PORTSNARE_PATIENCE=6
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t devtmpfs devtmpfs /dev 2>/dev/null
# What udev would make; nft 0.9.8 reads its standard input by this name.
ln -s /proc/self/fd/0 /dev/stdin
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
exec >/dev/ttyS1 2>&1 </dev/null
ip link set lo up
echo "kernel \$(uname -r), \$(nft --version)"
cd /portsnare
modprobe -a nf_tables nfnetlink_log veth bridge tun 8021q &&
	./deno test --frozen --cached-only --no-check -A $arguments
echo "exit status \$?"
sync
# SysRq: off, at once.
echo o >/proc/sysrq-trigger
sleep 60
INIT
chmod +x "$work/root/portsnare-init"

mke2fs -q -t ext4 -d "$work/root" "$work/disk.img" 3G
cp "$work"/root/boot/vmlinuz-* "$work/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/initrd"
umount "$work/root"

timeout "$TIME_LIMIT" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -nodefaults \
	-serial "file:$work/boot.log" -serial "file:$work/report" -monitor none -no-reboot \
	-kernel "$work/vmlinuz" -initrd "$work/initrd" \
	-append "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet panic=1 init=/portsnare-init" \
	-drive "file=$work/disk.img,format=raw,if=virtio,cache=unsafe" -device virtio-rng-pci || true

tr -d '\r' <"$work/report"
status=$(tr -d '\r' <"$work/report" | sed -n 's/^exit status //p')
[ -n "$status" ] || { tail -n 20 "$work/boot.log" >&2; die "the machine did not finish within $TIME_LIMIT seconds"; }
exit "$status"
