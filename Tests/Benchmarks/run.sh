#!/bin/bash
# How fast ftool is, as ratios: everything is measured beside what it is compared with, in the same round.
#
#   run.sh [--rounds N] [--size MIB] [--no-peers]
#
# On tmpfs, with memory that was touched before, so that what is seen is ftool and not a disk or the kernel clearing
# pages. A figure is the median of the rounds' ratios. The data is 1 GiB, or less where memory is short.
# Peers: snapraid, and the kernel's btrfs on loop devices (as root only). When they are not installed, their Debian
# packages are downloaded and unpacked under ${XDG_CACHE_HOME:-~/.cache}/ftool-bench; nothing is installed.
# Prints a table; exit 1 when a target was missed. FTOOL: the program.
set -u
here=$(cd "$(dirname "$0")" && pwd)
release=$here/../../.build/release
FTOOL=${FTOOL:-$release/ftool}
export LC_ALL=C
rounds=5 size= peers=1
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift ;;
    --size) size=$2; shift ;;
    --no-peers) peers=0 ;;
    *) sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64 ;;
  esac
  shift
done
[ -x "$FTOOL" ] || { echo "no $FTOOL: build it first (swift build -c release)" >&2; exit 1; }

# ---- a place in memory ------------------------------------------------------------------------------
available=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))
if [ -z "$size" ]; then size=$((available / 10 / 64 * 64)); [ $size -gt 1024 ] && size=1024; fi
[ "$size" -ge 64 ] || { echo "skipped: $available MiB of free memory are too few"; exit 0; }
size=$((size / 64 * 64))
work= mounted= loops=()
if [ "$(stat -fc %T /dev/shm 2>/dev/null)" = tmpfs ] && [ $(($(stat -fc '%a * %S' /dev/shm) / 1048576)) -gt $((size * 6)) ]; then
  work=$(mktemp -d /dev/shm/ftool-bench.XXXXXX)
elif [ "$(id -u)" = 0 ]; then
  work=$(mktemp -d)
  mount -t tmpfs -o size=$((size * 7))M ftool-bench "$work" && mounted=$work
fi
[ -n "$work" ] && [ "$(stat -fc %T "$work")" = tmpfs ] || { echo "skipped: no tmpfs with $((size * 6)) MiB free"; exit 0; }
cleanup() {
  mountpoint -q "$work/btrfs" && umount "$work/btrfs"
  local loop
  for loop in ${loops[@]+"${loops[@]}"}; do losetup -d "$loop" 2>/dev/null; done
  [ -z "$mounted" ] || umount "$mounted"
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export XDG_STATE_HOME=$work/state

# ---- measuring --------------------------------------------------------------------------------------
declare -A ratios seconds
order=() missed=0
die() { echo "$*" >&2; [ ! -s "$work/log" ] || tail -5 "$work/log" >&2; exit 1; }
# WHAT COMMAND...: how long it takes, in seconds, into ${seconds[WHAT]}
measure() {
  local what=$1 start
  shift
  start=$EPOCHREALTIME
  "$@" >"$work/log" 2>&1 || die "$what: '$*' failed: $?"
  seconds[$what]=$(awk "BEGIN { print $EPOCHREALTIME - $start }")
}
raid() { "$FTOOL" raid "$@"; }
# What cp does, onto pages that are there already.
copy() { dd if="$1" of="$2" bs=256K conv=notrunc; }
read_away() { cat "$@" >/dev/null; }
raid_read_away() { "$FTOOL" raid read "$@" >/dev/null; }
# WHAT NUMBER: one round's ratio
note() { [ -n "${ratios[$1]:-}" ] || order+=("$1"); ratios[$1]+="$2 "; }
divide() { awk "BEGIN { printf \"%.4f\", ($1) / ($2) }"; }
median() { tr ' ' '\n' <<<"$1" | grep . | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
line() { printf '%-58s %8s %10s  %s\n' "$@"; }
# WHAT at-least|at-most TARGET
judge() {
  [ -n "${ratios[$1]:-}" ] || return 0
  local value verdict=met sign='>='
  value=$(median "${ratios[$1]}")
  [ "$2" = at-most ] && sign='<='
  awk "BEGIN { exit !($value $sign $3) }" || { verdict=MISSED; missed=1; }
  line "$1" "$(printf %.2f "$value")" "$sign $3" $verdict
}

# ---- ours -------------------------------------------------------------------------------------------
bytes=$((size * 1048576))
data=$work/data target=$work/target
echo "ftool bench: $size MiB of data on tmpfs, $rounds rounds, $(nproc) processors" >&2
head -c $bytes /dev/urandom >"$data"
cp "$data" "$target"
member=$((size / 4 + 32))
make_array() {  # NAME MEMBERS LEVEL [OPTION...]
  local i
  mkdir "$work/$1"
  for ((i = 0; i < $2; i++)); do head -c ${member}M /dev/zero >"$work/$1/m$i"; done
  raid create "$1" "$work/$1"/m? --level "$3" --yes "${@:4}" >"$work/log" 2>&1 || die "create $1"
}
make_array five 5 5
make_array six 6 6
five=("$work"/five/m?) six=("$work"/six/m?)
spare=$work/five/spare
head -c ${member}M /dev/zero >"$spare"
head -c $((size / 4))M /dev/urandom >"$work/quarter"
cp "$work/quarter" "$work/quarter.target"
raid write "${five[@]}" -i "$data" >"$work/log" 2>&1 || die "write five"
raid write "${six[@]}" -i "$data" >"$work/log" 2>&1 || die "write six"

declare -A best  # the medians of ours, for the peers
for ((round = 1; round <= rounds; round++)); do
  echo "round $round" >&2
  measure copy copy "$data" "$target"
  measure write5 raid write "${five[@]}" -i "$data"
  measure write6 raid write "${six[@]}" -i "$data"
  measure copy2 copy "$data" "$target"
  copied=$(awk "BEGIN { print (${seconds[copy]} + ${seconds[copy2]}) / 2 }")
  note 'write with sums, 4+1, of cp' "$(divide "$copied" "${seconds[write5]}")"
  note 'write with sums, 4+2, of cp' "$(divide "$copied" "${seconds[write6]}")"

  measure cat read_away "$data"
  measure read5 raid_read_away "${five[@]}" --length $bytes
  measure degraded5 raid_read_away "${five[0]}" "${five[@]:2}" --length $bytes
  measure read6 raid_read_away "${six[@]}" --length $bytes
  measure degraded6 raid_read_away "${six[0]}" "${six[@]:3}" --length $bytes
  note 'read verified, 4+1, of cat' "$(divide "${seconds[cat]}" "${seconds[read5]}")"
  note 'read verified, 4+2, of cat' "$(divide "${seconds[cat]}" "${seconds[read6]}")"
  note 'read, one lost of 4+1, of the healthy read' "$(divide "${seconds[read5]}" "${seconds[degraded5]}")"
  note 'read, two lost of 4+2, of the healthy read' "$(divide "${seconds[read6]}" "${seconds[degraded6]}")"

  # Onto another file, or the bitmap would say that the member missed nothing; its pages are there already.
  rest=("${five[0]}" "${five[@]:2}")
  measure rebuild raid rebuild "${rest[@]}" --member "${five[1]}" --onto "$spare" --yes --force
  lost=${five[1]} five=("${five[0]}" "$spare" "${five[@]:2}") spare=$lost
  measure quarter copy "$work/quarter" "$work/quarter.target"
  note 'rebuild of one lost of 4+1, of cp' "$(divide "${seconds[quarter]}" "${seconds[rebuild]}")"

  measure cats read_away "${five[@]}"
  measure scrub raid scrub "${five[@]}"
  note 'scrub with sums, 4+1, of cat of all members' "$(divide "${seconds[cats]}" "${seconds[scrub]}")"
  for what in write5 write6 rebuild scrub degraded5 degraded6; do best[$what]+="${seconds[$what]} "; done
done
# With a journal, and without.
rm -rf "$work/six"
make_array bare 5 5 --journal none
bare=("$work"/bare/m?)
raid write "${bare[@]}" -i "$data" >"$work/log" 2>&1 || die "write bare"
for ((round = 1; round <= rounds; round++)); do
  measure without raid write "${bare[@]}" -i "$data"
  measure with raid write "${five[@]}" -i "$data"
  note 'write with a journal, 4+1, of without' "$(divide "${seconds[without]}" "${seconds[with]}")"
done
rm -rf "$work/bare"
# A program that does the bare preads and pwrites of a small write, and the same through the engine; it prints the ratio.
small=${SMALL_WRITES:-$release/ftool-bench-small-writes}
if [ -x "$small" ]; then
  for ((round = 1; round <= rounds; round++)); do note 'CPU of a 4 KiB write to 4+1, of its bare I/O' "$("$small" "$work")"; done
  # On a disk, where that is: what is durable costs nothing on tmpfs.
  disk=$(mktemp -d "${TMPDIR:-/var/tmp}/ftool-bench.XXXXXX")
  for ((round = 1; round <= rounds; round++)); do note 'durable 4 KiB writes, 4+1, of fdatasync / 2' "$("$small" --durable "$disk")"; done
  rm -rf "$disk"
else
  echo "skipped: small writes: no $small" >&2
fi
# Writing and reading an image, beside its codec alone on all processors.
images=${IMAGES:-$release/ftool-bench-image}
if [ -x "$images" ]; then
  for ((round = 1; round <= rounds; round++)); do
    read -r written verified < <("$images" "$work" $((size / 2)))
    note "writing an image, of its codec's rate" "$written"
    note "reading an image, of its codec's rate" "$verified"
  done
else
  echo "skipped: images: no $images" >&2
fi

# ---- checkpoints ------------------------------------------------------------------------------------
# A program that holds memory is saved and restored, beside its codec alone and beside memcpy. Absolute figures are of
# a quiet machine.
held=
# COMMAND...: with no descriptor that leads to us; its number into $held
hold() {
  rm -f "$work/held"
  (for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null; done
    exec setsid "$@" </dev/null >"$work/held" 2>&1) &
  held=$!
}
# Ends it, and waits until its number is free. What was restored is nobody's child here, and gets new numbers.
let_go() {
  kill -KILL "$held" 2>/dev/null
  wait "$held" 2>/dev/null
}
frozen_seconds() { sed -n 's/.*"frozen_seconds": *\([0-9.e-]*\).*/\1/p' "$work/log"; }
checkpoint_figures() {  # KIND MIB
  local kind=$1 mib=$2 gib image=$work/image.ftc codec copied
  gib=$(awk "BEGIN { print $mib / 1024 }")
  hold "$images" --hold "$mib" "$kind"
  until grep -q ready "$work/held" 2>/dev/null; do sleep 0.05; done
  codec=$("$images" --codec "$mib") copied=$("$images" --copy "$mib")
  measure save "$FTOOL" checkpoint save "$held" -f -o "$image" --json
  note "frozen to be saved, $kind pages, ms a GiB" "$(divide "$(frozen_seconds) * 1000" "$gib")"
  if [ "$kind" = small ]; then
    note "saving a program, of its codec's rate" "$(divide "$codec" "${seconds[save]}")"
    measure plain "$FTOOL" checkpoint save "$held" -f -o "$work/plain.ftc" --compress none
    rm -f "$work/plain.ftc"
    measure plain "$FTOOL" checkpoint save "$held" -f -o "$work/plain.ftc" --compress none
    note 'saving a program uncompressed, of memcpy' "$(divide "${seconds[plain]}" "$copied")"
    rm -f "$work/plain.ftc"
  fi
  let_go
  measure restore "$FTOOL" checkpoint restore --detach "$image"
  note "restoring a program, $kind pages, s a GiB" "$(divide "${seconds[restore]}" "$gib")"
  let_go
  rm -f "$image"
}
quick_figures() {  # WHAT COMMAND...
  local what=$1 image=$work/quick.ftc
  shift
  hold "$@"
  sleep 0.5
  measure save "$FTOOL" checkpoint save "$held" -f -o "$image"
  let_go
  measure restore "$FTOOL" checkpoint restore --detach "$image"
  let_go
  rm -f "$image"
  note "saving $what, ms" "$(divide "${seconds[save]} * 1000" 1)"
  note "restoring $what, ms" "$(divide "${seconds[restore]} * 1000" 1)"
}
if [ -x "$images" ]; then
  hold sleep 1000
  sleep 0.2
  if "$FTOOL" checkpoint save "$held" -f -o "$work/try.ftc" >"$work/log" 2>&1; then
    let_go
    for ((round = 1; round <= rounds; round++)); do
      checkpoint_figures small "$size"
      checkpoint_figures huge "$size"
      quick_figures 'an idle program' sleep 1000
      quick_figures 'one with 200 areas more' "$images" --hold 1 small 200
    done
  else
    let_go
    echo "skipped: checkpoints: $(tail -1 "$work/log")" >&2
  fi
  rm -f "$work/try.ftc"
fi

# ---- peers ------------------------------------------------------------------------------------------
# Ours over theirs in bytes of data per second: above 1 we are ahead.
ahead() { note "$1" "$(divide "$2" "$(median "${best[$3]}")")"; }

peer_path=
fetch_peers() {
  command -v snapraid >/dev/null && command -v mkfs.btrfs >/dev/null && return
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/ftool-bench
  if [ ! -e "$cache/ready" ]; then
    command -v apt-get >/dev/null || return
    echo "downloading snapraid and btrfs-progs into $cache (nothing is installed)" >&2
    mkdir -p "$cache/debs"
    (cd "$cache/debs" && apt-get -qq download snapraid btrfs-progs liblzo2-2 2>/dev/null) || return
    local deb
    for deb in "$cache"/debs/*.deb; do dpkg-deb -x "$deb" "$cache"; done
    rm -r "$cache/debs"
    : >"$cache/ready"
  fi
  PATH=$PATH:$cache/bin:$cache/sbin:$cache/usr/bin:$cache/usr/sbin
  peer_path=$(dirname "$(find "$cache" -name 'liblzo2.so.2' | head -1)")
}
btrfs_tool() { LD_LIBRARY_PATH=$peer_path "$@"; }

snapraid_against() {  # PARITIES: of the same data on four disks
  local parities=$1 i base=$work/snap
  mkdir -p "$base"/{p1,p2,content}
  { echo "parity $base/p1/parity"
    [ "$parities" = 2 ] && echo "2-parity $base/p2/parity"
    echo "content $base/content/a"
    for i in 1 2 3 4; do mkdir -p "$base/d$i"; echo "data d$i $base/d$i"; echo "content $base/d$i/content"; done
    echo autosave 0; } >"$base/conf"
  for i in 1 2 3 4; do dd if="$data" of="$base/d$i/file" bs=1M skip=$(((i - 1) * size / 4)) count=$((size / 4)) status=none; done
  snap() { snapraid --test-skip-device --test-skip-self -c "$base/conf" "$@"; }
  local round
  for ((round = 0; round < 3; round++)); do
    rm -f "$base/content/a" "$base"/d?/content
    measure snap-sync snap --force-full sync
    [ $round = 0 ] && continue  # its parity file was new
    ahead "ahead of snapraid sync, 4+$parities (write)" "${seconds[snap-sync]}" "write$((parities + 4))"
    [ "$parities" = 1 ] || continue
    measure snap-scrub snap -p full scrub
    ahead 'ahead of snapraid scrub, 4+1' "${seconds[snap-scrub]}" scrub
    mv "$base/d2/file" "$base/kept"
    measure snap-fix snap -d d2 fix
    cmp -s "$base/d2/file" "$base/kept" || die "snapraid did not fix its file"
    rm "$base/kept"
    ahead 'ahead of snapraid fix of one lost, 4+1 (rebuild)' "${seconds[snap-fix]}" rebuild
  done
  rm -rf "$base"
}
write_and_sync() { dd if="$data" of="$work/btrfs/file" bs=1M conv=fsync; }
btrfs_against() {  # raid5|raid6 MEMBERS
  local i loop base=$work/loops members=$2 kind=${1#raid}
  mkdir -p "$base" "$work/btrfs"
  loops=()
  for ((i = 0; i <= members; i++)); do
    head -c $((member + 288))M /dev/zero >"$base/$i"
    loop=$(losetup --find --show "$base/$i") || { echo "skipped: btrfs $1: no loop device" >&2; return; }
    loops+=("$loop")
  done
  local spare=${loops[members]} used=("${loops[@]:0:members}")
  btrfs_tool mkfs.btrfs -q -f -d "$1" -m raid1 "${used[@]}" >"$work/log" 2>&1 || die "mkfs.btrfs"
  mount -t btrfs -o device="${used[1]}" "${used[0]}" "$work/btrfs" 2>"$work/log" \
    || { btrfs_tool btrfs device scan "${used[@]}" >/dev/null 2>&1; mount -t btrfs "${used[0]}" "$work/btrfs" 2>"$work/log"; } \
    || { echo "skipped: btrfs $1: $(tail -1 "$work/log")" >&2; btrfs_end; return; }
  measure btrfs-write write_and_sync
  ahead "ahead of btrfs $1, write and sync" "${seconds[btrfs-write]}" "write$kind"
  measure btrfs-scrub btrfs_tool btrfs scrub start -B "$work/btrfs"
  [ "$kind" = 5 ] && ahead 'ahead of btrfs raid5, scrub' "${seconds[btrfs-scrub]}" scrub
  umount "$work/btrfs"
  losetup -d "${used[1]}"
  btrfs_tool btrfs device scan --forget >/dev/null 2>&1
  for loop in "${used[0]}" "${used[@]:2}"; do btrfs_tool btrfs device scan "$loop" >/dev/null 2>&1; done
  if mount -t btrfs -o degraded "${used[0]}" "$work/btrfs" 2>"$work/log"; then
    measure btrfs-degraded read_away "$work/btrfs/file"
    ahead "ahead of btrfs $1, read with one lost" "${seconds[btrfs-degraded]}" "degraded$kind"
    if [ "$kind" = 5 ]; then
      measure btrfs-replace btrfs_tool btrfs replace start -f -B 2 "$spare" "$work/btrfs"
      ahead 'ahead of btrfs raid5, replace (rebuild)' "${seconds[btrfs-replace]}" rebuild
    fi
    umount "$work/btrfs"
  else
    echo "skipped: btrfs $1 degraded: $(tail -1 "$work/log")" >&2
  fi
  btrfs_end
}
btrfs_end() { local loop; for loop in "${loops[@]}"; do losetup -d "$loop" 2>/dev/null; done; loops=(); rm -rf "$work/loops"; }

if [ $peers = 1 ]; then
  rm -f "$target" "$work"/quarter*
  rm -rf "$work/six" "$work/five"
  fetch_peers
  if command -v snapraid >/dev/null; then snapraid_against 1; snapraid_against 2
  else echo "skipped: snapraid is not installed" >&2; fi
  if ! command -v mkfs.btrfs >/dev/null; then echo "skipped: btrfs-progs is not installed" >&2
  elif [ "$(id -u)" != 0 ]; then echo "skipped: btrfs on loop devices needs root" >&2
  elif ! grep -qw btrfs /proc/filesystems && ! modprobe btrfs 2>/dev/null; then echo "skipped: this kernel has no btrfs" >&2
  else btrfs_against raid5 5; btrfs_against raid6 6; fi
fi

# ---- the table --------------------------------------------------------------------------------------
if [ -x "$release/ftool-bench" ]; then "$release/ftool-bench"; echo; fi
line what ratio target ''
judge 'write with sums, 4+1, of cp' at-least 0.75
judge 'write with sums, 4+2, of cp' at-least 0.6
judge 'read verified, 4+1, of cat' at-least 0.8
judge 'read verified, 4+2, of cat' at-least 0.8
judge 'read, one lost of 4+1, of the healthy read' at-least 0.8
judge 'read, two lost of 4+2, of the healthy read' at-least 0.6
judge 'rebuild of one lost of 4+1, of cp' at-least 0.4
judge 'scrub with sums, 4+1, of cat of all members' at-least 0.7
judge 'write with a journal, 4+1, of without' at-least 0.8
judge 'durable 4 KiB writes, 4+1, of fdatasync / 2' at-least 0.5
judge 'CPU of a 4 KiB write to 4+1, of its bare I/O' at-most 1.15
judge "writing an image, of its codec's rate" at-least 0.85
judge "reading an image, of its codec's rate" at-least 0.85
judge "saving a program, of its codec's rate" at-least 0.85
judge 'saving a program uncompressed, of memcpy' at-most 4
judge 'frozen to be saved, small pages, ms a GiB' at-most 60
judge 'frozen to be saved, huge pages, ms a GiB' at-most 5
judge 'restoring a program, small pages, s a GiB' at-most 2
judge 'restoring a program, huge pages, s a GiB' at-most 2
judge 'saving an idle program, ms' at-most 30
judge 'restoring an idle program, ms' at-most 40
judge 'saving one with 200 areas more, ms' at-most 150
judge 'restoring one with 200 areas more, ms' at-most 150
for what in "${order[@]}"; do case $what in ahead*) judge "$what" at-least 1 ;; esac; done
[ $missed = 0 ]
