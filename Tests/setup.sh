#!/usr/bin/env bash
# Sees to it that the machine has what a target of the Makefile needs.
#
#   setup.sh PURPOSE...     build, test, demo, lint, kernel or bench
#
# What is missing is installed with apt-get, as root or through sudo, after saying so. Where that is
# not possible, it says what to install by hand and ends with 1. Nothing is installed that is there.
set -euo pipefail

missing=()
programs=''

# need PACKAGE COMMAND: the command is there, or the package will bring it
need() { command -v "$2" > /dev/null || PATH="$PATH:/usr/sbin:/sbin" command -v "$2" > /dev/null || missing+=("$1"); }

# need_header PACKAGE HEADER: the same for what programs are built with
need_header() { [ -e "/usr/include/$2" ] || [ -e "/usr/local/include/$2" ] || missing+=("$1"); }

# The compiler brings its own libraries, but links with the C library of the system.
need_c_library() {
  [ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
  compgen -G '/usr/include/c++/*/vector' > /dev/null || missing+=(g++)
  compgen -G '/usr/lib/gcc/*/*/libgcc.a' > /dev/null || missing+=(gcc)
}

for purpose in "$@"; do
  case $purpose in
    build)
      if ! command -v swift > /dev/null; then
        echo "setup: Swift 6.3 or newer is needed: install it from swift.org, or as your system has it" >&2
        exit 1
      fi
      need git git
      need_c_library
      need_header zlib1g-dev zlib.h
      need_header libzstd-dev zstd.h
      need_header liblz4-dev lz4.h
      ;;
    test)
      need tar tar
      need zstd zstd
      need gcc cc
      need perl perl
      need e2fsprogs mkfs.ext4
      need util-linux unshare
      need bsdutils script
      programs=yes  # fetched by Tests/programs.sh, not installed
      ;;
    demo)
      need tar tar
      need e2fsprogs mkfs.ext4
      ;;
    lint) need mandoc mandoc ;;
    kernel) # the kernel itself is fetched by Tests/Kernel/setup.sh
      need tar tar
      need zstd zstd
      ;;
    bench) need coreutils sha256sum ;; # peers are fetched by Tests/Benchmarks/run.sh
    *)
      echo "setup: no purpose is called '$purpose'" >&2
      exit 64
      ;;
  esac
done

finish() {
  [ -z "$programs" ] || "$(dirname "$0")/programs.sh"
  exit 0
}

[ ${#missing[@]} -gt 0 ] || finish
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

by_hand() {
  echo "setup: $1; please install by hand: ${missing[*]}" >&2
  exit 1
}

as_root=()
command -v apt-get > /dev/null || by_hand "there is no apt-get"
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || by_hand "this is not root, and there is no sudo"
  as_root=(sudo)
fi
echo "setup: for '$*' this installs with apt-get: ${missing[*]}"
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "${missing[@]}"
}
if ! install; then
  "${as_root[@]}" apt-get update -qq || by_hand "apt-get update failed"
  install || by_hand "apt-get install failed"
fi
# SwiftPM remembers which codecs Package.swift found: it has to look again.
case " ${missing[*]} " in
  *zstd-dev* | *lz4-dev*) swift package purge-cache > /dev/null 2>&1 || true ;;
esac
finish
