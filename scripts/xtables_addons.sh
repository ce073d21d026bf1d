#!/bin/sh
# Runs the guides' `-j CHAOS` with the real target of xtables-addons: built by DKMS for Debian 11's kernel, on that kernel
# in an emulated machine (see kernel_5_10.sh). Some minutes, as root.
set -eu
cd "$(dirname "$0")"

export PACKAGES="linux-headers-cloud-amd64 xtables-addons-dkms xtables-addons-common iptables tcpd"
exec ./kernel_5_10.sh tests/xtables_addons/chaos_test.ts
