# The life of the package under systemd: sourced by ../deb_test.sh.

scenario_systemd() {
	suite=$1
	machine_create "$suite" systemd systemd-sysv dbus debconf iproute2 procps nftables iptables fail2ban logrotate
	old_deb
	cp "$deb" "$work/old.deb" "$machine_root/root/"
	machine_start
	files_before

	systemd_install
	systemd_observe
	systemd_block
	systemd_journal
	systemd_watchdog
	systemd_keep
	systemd_upgrade
	systemd_remove
	machine_destroy
}

# The same package under an older version number, to upgrade from.
old_deb() {
	rm -rf "$work/old"
	dpkg-deb --raw-extract "$deb" "$work/old"
	sed -i 's/^Version: .*/Version: 0.9.0/' "$work/old/DEBIAN/control"
	dpkg-deb --build -Znone "$work/old" "$work/old.deb" >/dev/null
	rm -rf "$work/old"
}

# Everything that a package might leave, without what dpkg, journald and fail2ban keep for themselves.
list_files() {
	inside 'find /etc /usr /lib /var /run /root /home /opt -xdev 2>/dev/null' | grep -vE \
		'^/(var/(cache|log|lib/(dpkg|apt|systemd|fail2ban|pam|dbus|logrotate))|run/(systemd|log|user|fail2ban|lock|xtables)|usr/share/man/.*cat)|/__pycache__|^/etc/(ld.so.cache|.pwd.lock|mtab)|^/root/|^/run/(agetty|initctl)|^/var/tmp/systemd-private' |
		LC_ALL=C sort
}

files_before() { list_files >"$work/before"; }

# Only what is there in addition counts: after a reboot other services may not have written their files yet.
nothing_left() {
	list_files >"$work/after"
	LC_ALL=C comm -13 "$work/before" "$work/after" >"$work/left"
	cat "$work/left"
	[ ! -s "$work/left" ]
}

systemd_install() {
	# The line of the guides for portsentry does no harm; ours has the same form.
	inside 'echo portsentry portsentry/warn_no_block string "" | debconf-set-selections
		echo portsnare portsnare/warn_no_block string "" | debconf-set-selections'
	check "the previous version installs" inside 'apt-get install -q -y --no-install-recommends /root/old.deb'
	eventually "the service is active" active
	check "nothing that was installed has been changed" inside '[ -z "$(dpkg --verify portsnare)" ]'
	check "C8: the history is there" inside '[ "$(stat -c %a:%U:%G /var/lib/portsentry/portsentry.history)" = 640:root:adm ]'
	check "C15: the note was not asked for again" inside 'debconf-show portsnare | grep -q "^\* portsnare/warn_no_block"'
	check "it runs in real time" inside '
		chrt --pid "$(systemctl show -p MainPID --value portsnare)" | grep -q "SCHED_RR|SCHED_RESET_ON_FORK"'
	check "no unit failed" inside '[ -z "$(systemctl --failed --no-legend --plain)" ]'
	check "portsnare check is content" inside 'portsnare check'
	check "C5: portsentry.service means portsnare" inside 'systemctl restart portsentry && systemctl is-active portsentry'
	check "C5: /etc/init.d/portsentry means portsnare" inside '/etc/init.d/portsentry restart && systemctl is-active portsnare'
	check "the sandbox scores 3.0 or better" inside '
		systemd-analyze security portsnare.service | sed -n "s/.*Overall exposure level[^0-9]*\([0-9.]*\).*/\1/p" | tee /tmp/score
		[ "$(cut -d . -f 1 /tmp/score)" -lt 3 ]'
	echo "     (systemd-analyze security: $(inside 'cat /tmp/score; rm /tmp/score'))"
	serve
}

# As installed: nobody is banned, but fail2ban can do it from the history, with its own jail and with ours.
systemd_observe() {
	scan 192.0.2.10
	eventually "C9: a scan while observing is in the history" in_history 192.0.2.10
	check "C16: the scanner is not banned" not banned 192.0.2.10
	check "C16: the scanner is served" served 192.0.2.10

	for jail in portsentry portsnare; do
		inside "printf '[$jail]\nenabled = true\n' >/etc/fail2ban/jail.d/$jail.local && systemctl restart fail2ban"
		eventually "fail2ban watches with the jail $jail" inside "fail2ban-client status $jail"
		if [ "$jail" = portsentry ]; then scanner=192.0.2.11; else scanner=192.0.2.12; fi
		scan "$scanner"
		eventually "C24: fail2ban bans from our history with the jail $jail" fail2ban_banned "$jail" "$scanner"
		eventually "what fail2ban banned is not served" not served "$scanner"
		inside "rm /etc/fail2ban/jail.d/$jail.local"
	done
	inside 'systemctl stop fail2ban'
}

systemd_block() {
	inside 'printf "[tcp]\nresponse = \"block\"\n[actions]\nkill_hosts_deny = \"ALL: \$TARGET\$ : DENY\"\n" >>/etc/portsnare/config.toml
		portsnare check && systemctl reload portsnare'
	eventually "a scanner is banned after the reload" scan_until_banned 192.0.2.13
	check "its ban is in the kernel" in_kernel 192.0.2.13
	check "its ban is in the history" in_history 192.0.2.13
	eventually "its ban is in hosts.deny" inside 'grep -qF 192.0.2.13 /etc/hosts.deny'
	check "it is not served" not served 192.0.2.13
	check "others are" served 192.0.2.19
	eventually "a scanner is banned over IPv6 too" scan6_until_banned
	check "and not served" not served6
}

scan6_until_banned() {
	nmap -6 -n -Pn -sS -T4 --max-retries 0 -p 1-12 2001:db8::1
	banned 2001:db8::9
}

scan_until_banned() {
	scan "$1"
	banned "$1"
}

systemd_journal() {
	check "a ban is a notice in the journal" inside '
		journalctl -u portsnare -p notice..notice -o cat | grep -q "^attackalert: Host 192.0.2.13 has been blocked via nftables"'
	check "no line in the journal has its priority in its text" inside '! journalctl -u portsnare -o cat | grep "^<[0-7]>"'
	inside 'cp /etc/portsnare/config.toml /root/good && echo nonsense >>/etc/portsnare/config.toml'
	check "systemctl reload fails with a configuration that is wrong" inside '! systemctl reload portsnare'
	eventually "a configuration that is refused is an error in the journal" inside '
		journalctl -u portsnare -p err..err -o cat | grep -q "The configuration was not changed: .*config.toml:"'
	inside 'mv /root/good /etc/portsnare/config.toml && systemctl reload portsnare'
	eventually "systemd shows what the daemon does" inside '
		systemctl show -p StatusText --value portsnare | grep -q "^Engine kernel; [0-9]* bans* in force, "'
}

# Standing still it says no more that it is alive.
systemd_watchdog() {
	inside 'mkdir -p /run/systemd/system/portsnare.service.d
		printf "[Service]\nWatchdogSec=3\nTimeoutAbortSec=1\n" >/run/systemd/system/portsnare.service.d/watchdog.conf
		systemctl daemon-reload && systemctl restart portsnare'
	stuck=$(inside 'systemctl show -p MainPID --value portsnare')
	sleep 4
	check "a daemon that is alive is left alone" [ "$stuck" = "$(inside 'systemctl show -p MainPID --value portsnare')" ]
	inside "kill -STOP $stuck"
	eventually "systemd starts a daemon again that hangs" restarted
	check "the ban is kept over it" in_kernel 192.0.2.13
	inside 'rm -r /run/systemd/system/portsnare.service.d; systemctl daemon-reload && systemctl restart portsnare'
}

restarted() {
	active && [ "$stuck" != "$(inside 'systemctl show -p MainPID --value portsnare')" ]
}

systemd_keep() {
	inside 'systemctl restart portsnare'
	eventually "the service is active after a restart" active
	check "the ban is kept over a restart" in_kernel 192.0.2.13
	inside 'systemctl kill --signal=KILL --kill-who=main portsnare'
	sleep 1
	eventually "systemd starts it again after kill -9" active
	check "the ban is kept over kill -9" in_kernel 192.0.2.13
	check "logrotate rotates the history" inside 'logrotate --force /etc/logrotate.d/portsnare && test -e /var/lib/portsentry/portsentry.history.1'
	machine_stop
	machine_start
	eventually "the service is active after a reboot" active
	check "the ban is kept over a reboot" in_kernel 192.0.2.13
	check "the service was up before the network" inside '
		service=$(systemctl show -p ActiveEnterTimestampMonotonic --value portsnare.service)
		network=$(systemctl show -p ActiveEnterTimestampMonotonic --value network-pre.target)
		[ "$service" -gt 0 ] && [ "$service" -le "$network" ]'
	check "no unit failed" inside '[ -z "$(systemctl --failed --no-legend --plain)" ]'
	serve
	check "the banned one is still not served" not served 192.0.2.13
}

systemd_upgrade() {
	before=$(inside 'systemctl show -p MainPID --value portsnare')
	check "the new version installs over the old one" inside \
		"apt-get install -q -y --no-install-recommends /root/${deb##*/} </dev/null"
	eventually "the service is active after the upgrade" active
	check "it is a new process" [ "$before" != "$(inside 'systemctl show -p MainPID --value portsnare')" ]
	check "the configuration is kept" inside 'grep -q "response = \"block\"" /etc/portsnare/config.toml'
	check "the ban is kept" in_kernel 192.0.2.13
	check "a service that the administrator disabled stays so" inside "
		systemctl disable --now portsnare
		dpkg -i /root/${deb##*/} </dev/null && ! systemctl is-enabled portsnare && systemctl enable --now portsnare"
	eventually "the service is active again" active
}

systemd_remove() {
	check "portsnare can be removed" inside 'apt-get remove -q -y portsnare'
	check "no table is left in the kernel" inside '! nft list tables | grep portsnare'
	check "no line is left in hosts.deny" inside '! grep -F 192.0.2.13 /etc/hosts.deny'
	check "C23: after removal the state and the configuration stay" inside 'test -e /var/lib/portsnare/portsnare.db && test -e /etc/portsnare/config.toml'
	check "the banned one is served again" served 192.0.2.13
	check "nothing is left that would hide a portsentry" inside '! test -L /etc/systemd/system/portsentry.service && ! test -L /etc/init.d/portsentry'
	check "it can be installed again" inside "dpkg -i /root/${deb##*/} </dev/null"
	eventually "the service is active again" active
	check "C5: portsentry.service means portsnare again" inside 'systemctl is-active portsentry'
	check "the ban is back" in_kernel 192.0.2.13
	check "portsnare can be purged" inside 'apt-get purge -q -y portsnare && systemctl daemon-reload'
	inside 'systemctl stop greeter'
	# systemd forgets a unit whose file is gone a moment after its reload.
	eventually "no unit failed or is left" inside '[ -z "$(systemctl list-units --all --no-legend --plain "portsnare*" "portsentry*")" ]'
	check "C23: after purge no file is left" nothing_left
}
