# Debian 11 without nftables, first with no firewall at all, then with iptables: sourced by ../deb_test.sh.

scenario_minimal() {
	machine_create bullseye systemd systemd-sysv dbus debconf iproute2 procps python3-minimal
	minimal_install
	check "portsnare check names the package that is missing" inside 'portsnare check 2>&1 | grep -i nftables'
	scan 192.0.2.10
	eventually "a scan is seen through a packet socket" in_history 192.0.2.10
	check "nobody is banned" served 192.0.2.10
	machine_destroy

	machine_create bullseye systemd systemd-sysv dbus debconf iproute2 procps python3-minimal iptables
	minimal_install
	inside 'printf "[tcp]\nresponse = \"block\"\n[actions]\nfirewall = \"iptables\"\n" >>/etc/portsnare/config.toml
		systemctl reload portsnare'
	eventually "a scanner is banned with iptables" scan_until_banned 192.0.2.13
	check "it is not served" not served 192.0.2.13
	check "others are" served 192.0.2.19
	check "it can be removed" inside 'apt-get remove -q -y portsnare'
	check "no chain is left" inside '! iptables-save | grep -i portsnare'
	check "it is served again" served 192.0.2.13
	machine_destroy
}

minimal_install() {
	cp "$deb" "$machine_root/root/"
	machine_start
	check "it installs without the packages that it recommends" inside \
		"apt-get install -q -y --no-install-recommends /root/${deb##*/}"
	eventually "the service is active" active
	serve
}
