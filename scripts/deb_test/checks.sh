# Saying what is checked and what came of it: sourced by ../deb_test.sh.

checks=0

step() { echo "== $*"; }

# check WHAT COMMAND...: the command has to succeed.
check() {
	what=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then
		checks=$((checks + 1))
		echo "ok   $what"
	else
		echo "FAIL $what: $*"
		cat "$work/check.log"
		explain
		exit 1
	fi
}

# What the machine and the daemon said last.
explain() {
	tail -n 10 "$work/console.log" || true
	[ -z "$machine_leader" ] || inside 'journalctl -q -n 40 2>/dev/null || tail -n 40 /var/log/syslog' || true
}

not() { ! "$@"; }

# wait_for WHAT COMMAND...: gives it up to 30 seconds.
wait_for() {
	awaited=$1
	shift
	for _ in $(seq 150); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	echo "FAIL waiting for $awaited: $*"
	explain
	exit 1
}

# eventually WHAT COMMAND...: a check that may take up to 30 seconds to become true.
eventually() {
	wait_for "$@"
	checks=$((checks + 1))
	echo "ok   $1"
}
