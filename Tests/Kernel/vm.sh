#!/bin/bash
# Runs a shell script in a throw-away Linux machine whose kernel has md.
#
#   vm.sh [-d FOLDER] [-t SECONDS] [-m MIB] [-x] [-l LOG] SCRIPT [DISK...] [-- ARGUMENT...]
#
# SCRIPT is read by busybox sh with mdadm beside it, the ARGUMENTs in $1..., and FOLDER
# (default: a new empty one) at /host, both ways: member images there are attached with
# losetup. The DISKs, at most 16 raw images, are /dev/vda, /dev/vdb, ...; ro:IMAGE is
# read-only. What SCRIPT prints comes out on stdout, its status is the exit status, or
#   124 the time limit was hit    125 the machine did not come up
#   126 it died before SCRIPT ended (with -x that is what is wanted: 0)
# LOG receives the kernel's console. In SCRIPT: crash (stop at once, as if power failed),
# sync_action md0, wait_idle md0.
set -u
here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64; }

folder= limit=300 memory=512 want_crash=0 log=
while getopts d:t:m:xl:h option; do
  case $option in
    d) folder=$OPTARG ;; t) limit=$OPTARG ;; m) memory=$OPTARG ;;
    x) want_crash=1 ;; l) log=$OPTARG ;; *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
script=$1
shift
cache=$("$here/setup.sh") || exit $?

work=$(mktemp -d "${TMPDIR:-/tmp}/vm.XXXXXX") || exit 125
machine=
cleanup() { [ -n "$machine" ] && kill -9 -- "-$machine" 2>/dev/null; rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
folder=$(realpath "${folder:-$work}")

disks=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  image=${1#ro:} flag=
  [ "$image" = "$1" ] || flag=r
  disks+=("ubd${#disks[@]}$flag=$(realpath "$image")")
  shift
done
[ "${1:-}" = -- ] && shift
mkdir -p "$folder/.vm"
cp "$script" "$folder/.vm/script" || exit 125
printf "'%s' " "${@//\'/\'\\\'\'}" >"$folder/.vm/args"
[ $# -gt 0 ] || : >"$folder/.vm/args"

: >"$work/status"
mkfifo "$work/out"
cat "$work/out" & reader=$!
exec 7>"$work/out"  # the reader ends when the machine and this script have let go
set -m              # a process group of its own, so that all of it can be ended
HOME=$work TMPDIR=$work "$cache/kernel" uml_dir="$work/" mem="${memory}M" initrd="$cache/initrd" \
  ${disks[@]+"${disks[@]}"} con=null con0=null,fd:1 con1=null,fd:7 con2=null,fd:8 ssl=null \
  panic=-1 raid=noautodetect rcupdate.rcu_expedited=1 ftool_host="$folder" \
  </dev/null >"$work/log" 2>&1 8>"$work/status" &
machine=$!
set +m
(
  for ((i = 0; i < limit * 5; i++)); do sleep 0.2; kill -0 $machine 2>/dev/null || exit 0; done
  : >"$work/late"
  kill -9 -- -$machine
) >/dev/null 2>&1 7>&- &
watch=$!
wait $machine 2>/dev/null
kill -9 -- -$machine 2>/dev/null  # helpers of the machine, should any be left
machine=
exec 7>&-
kill $watch 2>/dev/null
wait $watch 2>/dev/null
wait $reader
[ -n "$log" ] && cp "$work/log" "$log"

status=$(sed -n 's/^status \([0-9]*\).*/\1/p' "$work/status")
[ -n "$status" ] && exit "$status"
fail() { echo "vm: $2; the console's end:" >&2; tail -8 "$work/log" >&2; exit "$1"; }
[ -e "$work/late" ] && fail 124 "stopped after $limit s"
grep -q up "$work/status" || fail 125 "the machine did not come up"
[ $want_crash = 1 ] && exit 0
fail 126 "the machine died before the script ended"
