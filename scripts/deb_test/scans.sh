# Being a scanner, a client and fail2ban's witness: sourced by ../deb_test.sh.

# scan ADDRESS: twelve closed ports in quick succession, from one of this side's addresses.
scan() { nmap -n -Pn -sS -T4 --max-retries 0 -S "$1" -e "$veth" -p 1-12 192.0.2.1 >/dev/null; }

# served ADDRESS: whether the machine's service answers this address.
served() { ncat --source "$1" --wait 2 --recv-only 192.0.2.1 8080 </dev/null; }

served6() { ncat --wait 2 --recv-only 2001:db8::1 8080 </dev/null; }

# A service for clients, to see who is shut out. It says one line to whoever connects.
serve() {
	inside 'systemd-run --quiet --unit=greeter --description=greeter python3 -c "
import socket
s = socket.create_server((\"::\", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    c, _ = s.accept()
    c.sendall(b\"hello\\n\")
    c.close()"'
	eventually "a service on port 8080 answers" served 192.0.2.19
}

banned() { inside "portsnare list" | grep -qF "$1"; }
in_kernel() { inside "nft list table inet portsnare" | grep -qF "$1"; }
in_history() { inside "cat /var/lib/portsentry/portsentry.history" | grep -qE "^[0-9]+ - .* Host: .*/$1 Port: [0-9]+ TCP Blocked\$"; }
fail2ban_banned() { inside "fail2ban-client status $1" | grep -qF "$2"; }
active() { [ "$(inside 'systemctl is-active portsnare.service')" = active ]; }
