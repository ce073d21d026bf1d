# Debian 11 without systemd: sourced by ../deb_test.sh.

scenario_sysvinit() {
	machine_create bullseye sysvinit-core debconf iproute2 procps nftables iptables rsyslog logrotate
	cp "$deb" "$machine_root/root/"
	machine_sysvinit=yes
	machine_start /sbin/init
	files_before

	inside 'echo portsnare portsnare/block boolean true | debconf-set-selections
		echo portsnare portsnare/udp_mode select stealth | debconf-set-selections'
	check "it installs" inside "apt-get install -q -y --no-install-recommends /root/${deb##*/}"
	eventually "the init script says that it runs" inside '/etc/init.d/portsnare status'
	check "starting it twice is harmless" inside '/etc/init.d/portsnare start && [ "$(pgrep -c -x portsnare)" = 1 ]'
	check "preseeded answers are in the drop-in" inside '
		[ "$(grep "^[^#]" /etc/portsnare/conf.d/10-debconf.toml | tr "\n" " ")" = \
			"[tcp] response = \"block\" [udp] mode = \"stealth\" response = \"block\" " ]'
	check "it reloads" inside '/etc/init.d/portsnare reload'
	eventually "a scanner is banned" scan_until_banned 192.0.2.13
	check "its ban is in the kernel" in_kernel 192.0.2.13
	eventually "C10: the scan is in the syslog" inside 'grep -q "attackalert: .*192.0.2.13" /var/log/syslog'
	check "it stops" inside '/etc/init.d/portsnare stop && ! /etc/init.d/portsnare status'
	check "stopping it twice is harmless" inside '/etc/init.d/portsnare stop'
	check "it starts again" inside '/etc/init.d/portsnare start'
	eventually "the ban is kept" banned 192.0.2.13
	check "C5: /etc/init.d/portsentry restart" inside '/etc/init.d/portsentry restart && /etc/init.d/portsnare status'
	check "a wrong configuration is said at the terminal" inside '
		echo "[tpc]" >/etc/portsnare/conf.d/wrong.toml
		! /etc/init.d/portsnare restart 2>/tmp/said && grep -q "wrong.toml:1" /tmp/said'
	check "and no daemon is stopped for it" inside '/etc/init.d/portsnare status'
	check "nor is it taken at a reload" inside '! /etc/init.d/portsnare reload 2>/tmp/said && grep -q "wrong.toml:1" /tmp/said'
	check "put right, it is" inside 'rm /etc/portsnare/conf.d/wrong.toml /tmp/said && /etc/init.d/portsnare reload'
	machine_stop
	machine_start /sbin/init
	eventually "it runs after a reboot" inside '/etc/init.d/portsnare status'
	eventually "the ban is kept over a reboot" in_kernel 192.0.2.13
	check "it can be purged" inside 'apt-get purge -q -y portsnare'
	eventually "no process is left" inside '! pgrep -f "^/usr/sbin/portsnare run"'
	check "no table is left in the kernel" inside '! nft list tables | grep portsnare'
	check "no file is left" nothing_left
	machine_destroy
	machine_sysvinit=
}
