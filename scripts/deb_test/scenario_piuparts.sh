# Debian's own test of installing and purging: sourced by ../deb_test.sh.

scenario_piuparts() {
	base=$work/base.tar.gz
	tar -C "$(nsenter --net=/proc/self/fd/8 scripts/debian_root.sh bullseye)" -czf "$base" .
	# piuparts updates the lists of packages, so it needs the network that this script has left.
	check "piuparts is content" nsenter --net=/proc/self/fd/8 \
		piuparts --distribution bullseye --basetgz "$base" --no-eatmydata --warn-on-leftovers-after-purge "$deb"
	rm "$base"
}
