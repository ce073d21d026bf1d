# In the place of portsentry, with its configuration and the recipes written for it: sourced by ../deb_test.sh.

scenario_portsentry() {
	machine_create bullseye systemd systemd-sysv dbus debconf iproute2 procps nftables iptables portsentry python3-minimal
	cp "$deb" "$machine_root/root/"
	machine_start
	serve

	portsentry_replaced
	portsentry_answers
	portsentry_recipe
	machine_destroy
}

portsentry_replaced() {
	check "it takes the place of portsentry" inside "
		apt-get install -q -y --no-install-recommends /root/${deb##*/} >/tmp/said 2>&1
		dpkg-query -W -f '\${db:Status-Status}' portsentry | grep -qx config-files"
	check "it tells of portsnare convert" inside 'grep -q "portsnare convert /etc/portsentry/portsentry.conf" /tmp/said'
	check "it did not convert by itself" inside '! grep -q "^[^#]" /etc/portsnare/config.toml'
	eventually "the service is active" active
}

# debconf: the file is the database, and what is no answer is not written.
portsentry_answers() {
	drop_in=/etc/portsnare/conf.d/10-debconf.toml
	reconfigure='dpkg-reconfigure --frontend noninteractive portsnare'
	check "without answers the drop-in says nothing" inside "! grep -q '^[^#]' $drop_in"
	inside "printf '[tcp]\nmode = \"stealth\"\nresponse = \"block\"\n# mine\n' >$drop_in; $reconfigure"
	check "what the administrator wrote is what debconf knows" inside \
		'debconf-show portsnare | grep -q "portsnare/block: true" && debconf-show portsnare | grep -q "portsnare/tcp_mode: stealth"'
	check "and it is kept as it was" inside "grep -q '^# mine' $drop_in"
	inside "rm $drop_in
		echo portsnare portsnare/block boolean perhaps | debconf-set-selections
		echo portsnare portsnare/tcp_mode select 'x\"; y' | debconf-set-selections
		echo portsnare portsnare/udp_mode select off | debconf-set-selections
		$reconfigure"
	check "an answer that is none is the default, one that is one is written" inside \
		"[ \"\$(grep '^[^#]' $drop_in | tr '\n' ' ')\" = '[udp] mode = \"off\" ' ] && portsnare check"
	inside "rm $drop_in"
}

# The lines of the guides for portsentry, as they are written there, with the daemon on portsentry's own files.
portsentry_recipe() {
	inside 'sed -i "s,^PORTSNARE_CONFIG=.*,PORTSNARE_CONFIG=/etc/portsentry/portsentry.conf," /etc/default/portsnare'
	inside '
		sed -i '\''s/TCP_MODE="tcp"/TCP_MODE="atcp"/'\'' /etc/default/portsentry
		sed -i '\''s/UDP_MODE="udp"/UDP_MODE="audp"/'\'' /etc/default/portsentry
		sed -i '\''s/BLOCK_UDP="0"/BLOCK_UDP="1"/'\'' /etc/portsentry/portsentry.conf
		sed -i '\''s/BLOCK_TCP="0"/BLOCK_TCP="1"/'\'' /etc/portsentry/portsentry.conf
		sed -i '\''s/^KILL_ROUTE/#&/'\'' /etc/portsentry/portsentry.conf
		sed -i '\''s/^#\?KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j DROP"/KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j DROP"/'\'' /etc/portsentry/portsentry.conf
		echo "192.0.2.18/32" >>/etc/portsentry/portsentry.ignore.static
		systemctl restart portsentry'
	eventually "C4: systemctl restart portsentry takes effect" active
	scan 192.0.2.14
	eventually "C11: KILL_ROUTE was run" inside 'iptables -S INPUT | grep -qF -e "-s 192.0.2.14/32 -j DROP"'
	eventually "C12: the scanner is in hosts.deny" inside 'grep -qx "ALL: 192.0.2.14 : DENY" /etc/hosts.deny'
	eventually "C7: and in the history" in_history 192.0.2.14
	check "it is not served" not served 192.0.2.14
	scan 192.0.2.18
	check "C14: who is in portsentry.ignore.static is served" served 192.0.2.18
	check "C14: and not in the history" not in_history 192.0.2.18
}
