#!/usr/bin/env bash
# Gets the real programs that the tests of checkpoints save and bring back.
#
# What is not installed is downloaded with apt-get, with the packages it depends on, and unpacked below
# .build/programs, once: nothing is installed, and no service is started. A program starts as
# .build/programs/bin/NAME. What can't be had is said, and its tests are reported as skipped.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
programs=$PWD/.build/programs
root=$programs/root

# Commands, and the package of each.
wanted=(
  redis-server=redis-server redis-cli=redis-tools nginx=nginx sqlite3=sqlite3 tmux=tmux vim=vim-tiny
  node=nodejs java=openjdk-17-jre-headless bsh=bsh python3=python3 make=make perl=perl
)

there() { command -v "$1" > /dev/null || [ -x "$programs/bin/$1" ]; }
missing=() packages=()
for pair in "${wanted[@]}"; do
  there "${pair%%=*}" && continue
  missing+=("${pair%%=*}") packages+=("${pair#*=}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

skip() {
  echo "programs: $*; the tests of ${missing[*]} are skipped" >&2
  exit 0
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

for tool in apt-get dpkg-deb; do
  command -v $tool > /dev/null || skip "no $tool: they come as Debian packages"
done
mkdir -p "$programs"
exec 9> "$programs/lock"
flock 9
work=$(mktemp -d "$programs/new.XXXXXX")
trap 'rm -rf "$work"' EXIT

# What apt would install for them on this machine, downloaded into the working folder.
download() {
  apt-get -qq -s --no-install-recommends install "${packages[@]}" > "$work/plan" 2> "$work/why" || return
  local names
  mapfile -t names < <(sed -n 's/^Inst \([^ ]*\).*/\1/p' "$work/plan")
  (cd "$work" && apt-get -qq download "${names[@]}") > "$work/why" 2>&1
}
echo "programs: downloading ${packages[*]} into $programs (nothing is installed)" >&2
if ! download; then
  echo "programs: refreshing the package lists (apt-get update)" >&2
  as_root apt-get -qq update >&2
  download || skip "$(grep -v '^W:' "$work/why" | tail -n 1)"
fi
mkdir -p "$root" "$programs/bin"
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$root" || skip "$(basename "$deb") can't be unpacked"; done

# Links that lead to the root of the machine lead to the one of the packages.
find "$root" -type l -lname '/*' | while read -r link; do
  target=$(readlink "$link")
  [ ! -e "$link" ] && [ -e "$root$target" ] && ln -sfn "$root$target" "$link"
done

libraries=$root/usr/lib/$(uname -m)-linux-gnu:$root/lib/$(uname -m)-linux-gnu
# program NAME COMMAND...: what starts it, if it is there
program() {
  local name=$1
  shift
  [ -e "$1" ] || return 1
  {
    echo '#!/bin/sh'
    echo "export LD_LIBRARY_PATH='$libraries'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
    printf 'exec'
    printf " '%s'" "$@"
    echo ' "$@"'
  } > "$work/start"
  chmod 755 "$work/start"
  mv "$work/start" "$programs/bin/$name"
}
lost=()
for name in "${missing[@]}"; do
  case $name in
    vim) program vim "$root/usr/bin/vim.tiny" ;;
    java) program java "$(find "$root"/usr/lib/jvm -path '*/bin/java' 2> /dev/null | head -n 1)" ;;
    bsh) ;;
    *) program "$name" "$root/usr/bin/$name" || program "$name" "$root/usr/sbin/$name" ;;
  esac || lost+=("$name")
done
# Runs Java source on any JVM.
if [ -e "$root/usr/share/java/bsh.jar" ]; then
  java=$(command -v java || echo "$programs/bin/java")
  program bsh "$java" -Xmx64m -cp "$root/usr/share/java/bsh.jar" bsh.Interpreter || lost+=(bsh)
fi
missing=("${lost[@]}")
[ ${#missing[@]} = 0 ] || skip "not in the packages"
