#!/bin/bash
# Gets a Linux kernel with md that runs as an ordinary program (Debian's user-mode-linux),
# and the mdadm to drive it. Nothing is installed: three Debian packages are downloaded with
# apt-get and unpacked under ${XDG_CACHE_HOME:-~/.cache}/ftool-kernel, once.
#
#   setup.sh        exit 0: ready, prints the folder    77: cannot be had, says why
#
# The folder then holds kernel, initrd (busybox, md modules, mdadm) and mdadm (for --examine).
set -eu
packages=(user-mode-linux busybox-static mdadm)
modules=(loop linear raid0 raid1 raid10 raid456)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ftool-kernel

skip() { echo "skipped: $*" >&2; exit 77; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
init=$(dirname "$0")/init
if [ "$cache/ready" -nt "$0" ] && [ "$cache/ready" -nt "$init" ]; then echo "$cache"; exit 0; fi

[ "$(uname -m)" = x86_64 ] || skip "user-mode Linux exists for x86_64 only, not for $(uname -m)"
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || skip "no $tool: the kernel and mdadm come as Debian packages"
done

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/debs" "$work/x"
download() { (cd "$work/debs" && apt-get -qq download "${packages[@]}") >"$work/apt.log" 2>&1; }
echo "check-kernel: downloading ${packages[*]} into $cache (45 MB, nothing is installed)" >&2
if ! download; then
  echo "check-kernel: refreshing the package lists (apt-get update)" >&2
  as_root apt-get -qq update >&2 || true
  download || skip "apt-get download ${packages[*]}: $(grep -v '^W:' "$work/apt.log" | tail -1)"
fi
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/x"; done

find_one() { find "$work/x" -path "*$1" -type f | head -1; }
kernel=$(find_one /bin/linux.uml) busybox=$(find_one /bin/busybox) mdadm=$(find_one /sbin/mdadm)
[ -x "$kernel" ] && [ -x "$busybox" ] && [ -x "$mdadm" ] || skip "the packages hold no kernel, busybox or mdadm"
"$mdadm" --version >/dev/null 2>&1 || skip "mdadm does not run here: $("$mdadm" --version 2>&1 | head -1)"

# The machine's root: busybox for everything, mdadm with its libraries, the md modules.
source=$(echo "$work"/x/usr/lib/uml/modules/*)
release=${source##*/}
mkdir -p "$work/x/lib/modules"
mv "$source" "$work/x/lib/modules/$release"
source=$work/x/lib/modules/$release
root=$work/root
mkdir -p "$root"/{bin,sbin,dev,proc,sys,run,tmp,etc,host} "$root/lib/modules/$release"
(cd "$work/x" && "$busybox" depmod -b "$work/x" "$release" 2>/dev/null)
for module in "${modules[@]}"; do
  sed -n "s|^\(.*/$module\.ko[^:]*\): *\(.*\)|\1 \2|p" "$source/modules.dep"
done | tr ' ' '\n' | sort -u | while read -r file; do
  [ -n "$file" ] || continue
  mkdir -p "$root/lib/modules/$release/${file%/*}"
  cp "$source/$file" "$root/lib/modules/$release/$file"
done
"$busybox" depmod -b "$root" "$release" 2>/dev/null
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | while read -r name; do [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"; done
ln -s ../bin/busybox "$root/sbin/modprobe"  # where the kernel looks for it
cp "$mdadm" "$root/sbin/mdadm"
ldd "$mdadm" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root${library%/*}"
  cp -L "$library" "$root$library"
done
: >"$root/etc/mdadm.conf"
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
cp "$init" "$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$work/initrd"

install -m 755 "$kernel" "$cache/kernel"
install -m 755 "$mdadm" "$cache/mdadm"
mv "$work/initrd" "$cache/initrd"
echo "$release" >"$cache/ready"
echo "$cache"
