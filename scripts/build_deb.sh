#!/bin/sh
# Makes dist/portsnare_VERSION_amd64.deb from dist/portsnare, and checks what a build can get wrong unseen.
set -eu
cd "$(dirname "$0")/.."

say() { echo "deb: $*" >&2; }
die() { say "$*"; exit 1; }

[ -x dist/portsnare ] || die "dist/portsnare is missing: run make build"
version=$(dpkg-parsechangelog -S Version)
case "$(dist/portsnare --version)" in
"portsnare $version "*) ;;
*) die "debian/changelog says $version, dist/portsnare says $(dist/portsnare --version)" ;;
esac

# A tree of its own, so that debhelper and the developers' Makefile do not meet, and nothing is left beside this folder.
stage=dist/package/portsnare-$version
rm -rf dist/package
mkdir -p "$stage/dist/share/bash-completion/completions" "$stage/dist/share/fish/vendor_completions.d" \
	"$stage/dist/share/zsh/vendor-completions" "$stage/docs"
cp -a debian man README.md config.example.toml "$stage"
.tools/bin/deno run --frozen -A scripts/man.ts "$stage/man"
cp -a docs/portsentry.md "$stage/docs"
cp -a dist/portsnare "$stage/dist"
dist/portsnare completions bash >"$stage/dist/share/bash-completion/completions/portsnare"
dist/portsnare completions fish >"$stage/dist/share/fish/vendor_completions.d/portsnare.fish"
dist/portsnare completions zsh >"$stage/dist/share/zsh/vendor-completions/_portsnare"
# The build must not depend on the umask of whoever cloned this.
chmod -R u=rwX,go=rX "$stage"

# Debian 11 reads no other compression; elsewhere another one may be the default.
export DPKG_DEB_COMPRESSOR_TYPE=xz
(cd "$stage" && dpkg-buildpackage --build=binary --no-sign) >dist/package/build.log 2>&1 ||
	{ tail -n 40 dist/package/build.log >&2; die "dpkg-buildpackage failed, see dist/package/build.log"; }
deb=portsnare_${version}_amd64.deb
mv "dist/package/$deb" "dist/$deb"

members=$(ar t "dist/$deb" | tr '\n' ' ')
[ "$members" = "debian-binary control.tar.xz data.tar.xz " ] || die "unexpected members in $deb: $members"
dpkg-deb --fsys-tarfile "dist/$deb" | tar -xO ./usr/sbin/portsnare | cmp - dist/portsnare ||
	die "the executable in $deb is not the one that was built"
lintian --fail-on error,warning --suppress-tags bad-distribution-in-changes-file "dist/$deb" || die "lintian is not content"
rm -rf dist/package
say "dist/$deb, $(du -h "dist/$deb" | cut -f 1), sha256 $(sha256sum "dist/$deb" | cut -c 1-16)…"
